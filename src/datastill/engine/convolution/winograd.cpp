// Convolutions 3x3 with a stride and a padding of 1, in 32 bits, by Winograd's minimal filtering F(4x4, 3x3): Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks, CVPR 2016, section 4.1. A tile of 4x4 outputs costs 36 multiplications for each pair of channels instead of 144.
// Maps are image height width channel. Every sum is taken in an order that does not depend on the number of threads.


namespace {

constexpr int POINTS = 36;        // of a transformed tile
constexpr int SUM = 7;            // the point of a transformed gradient that is the sum of the tile
constexpr int ODD = 16;           // floats between two points' planes beyond their size, so that they begin in different sets of the cache
constexpr long BLOCK = 2 << 20;   // bytes of transformed tiles that a thread works on at a time
constexpr long CHUNK = 8 << 20;   // bytes of transformed tiles of the gradient of the weights, of all threads together

// The one-dimensional transforms. Values lie `s` apart where they are read and `t` apart where they are written.

inline void transform_input(const Vector* d, int s, Vector* to, int t) {  // 6 -> 6
  Vector even = add_product(all(-4), d[2 * s], d[4 * s]), odd = add_product(all(-4), d[s], d[3 * s]);
  Vector wide = d[4 * s] - d[2 * s], twice = all(2) * (d[3 * s] - d[s]);
  to[0] = add_product(all(4), d[0], add_product(all(-5), d[2 * s], d[4 * s]));
  to[t] = even + odd;
  to[2 * t] = even - odd;
  to[3 * t] = wide + twice;
  to[4 * t] = wide - twice;
  to[5 * t] = add_product(all(4), d[s], add_product(all(-5), d[3 * s], d[5 * s]));
}

inline void transform_weights(const Vector* g, int s, Vector* to, int t) {  // 3 -> 6
  Vector ends = (g[0] + g[2 * s]) * all(-1 / 6.f), middle = g[s] * all(-1 / 6.f);
  Vector wide = add_product(g[2 * s], all(1 / 6.f), g[0] * all(1 / 24.f)), half = g[s] * all(1 / 12.f);
  to[0] = g[0] * all(1 / 4.f);
  to[t] = ends + middle;
  to[2 * t] = ends - middle;
  to[3 * t] = wide + half;
  to[4 * t] = wide - half;
  to[5 * t] = g[2 * s];
}

inline void transform_output(const Vector* m, int s, Vector* to, int t) {  // 6 -> 4
  Vector near = m[s] + m[2 * s], slope = m[s] - m[2 * s], far = m[3 * s] + m[4 * s], steep = m[3 * s] - m[4 * s];
  to[0] = m[0] + near + far;
  to[t] = add_product(all(2), steep, slope);
  to[2 * t] = add_product(all(4), far, near);
  to[3 * t] = add_product(all(8), steep, slope) + m[5 * s];
}

inline void transform_gradient(const Vector* y, int s, Vector* to, int t) {  // 4 -> 6, the transpose of transform_output
  Vector even = y[0] + y[2 * s], odd = y[s] + y[3 * s];
  Vector wide = add_product(all(4), y[2 * s], y[0]), twice = add_product(all(8), y[3 * s], all(2) * y[s]);
  to[0] = y[0];
  to[t] = even + odd;
  to[2 * t] = even - odd;
  to[3 * t] = wide + twice;
  to[4 * t] = wide - twice;
  to[5 * t] = y[3 * s];
}

inline void gather_weights(const Vector* m, int s, Vector* to, int t) {  // 6 -> 3, the transpose of transform_weights
  Vector near = (m[s] + m[2 * s]) * all(-1 / 6.f), slope = (m[2 * s] - m[s]) * all(1 / 6.f);
  Vector far = m[3 * s] + m[4 * s], steep = m[3 * s] - m[4 * s];
  to[0] = add_product(m[0], all(1 / 4.f), add_product(far, all(1 / 24.f), near));
  to[t] = add_product(steep, all(1 / 12.f), slope);
  to[2 * t] = add_product(far, all(1 / 6.f), near) + m[5 * s];
}

struct Maps {
  long images, height, width, down, across;

  Maps(long images, long height, long width)
      : images(images), height(height), width(width), down((height + 3) / 4), across((width + 3) / 4) {}

  long tiles() const { return images * down * across; }
};

struct Tile {
  const Maps& maps;
  long image, top, left;

  Tile(const Maps& maps, long number)
      : maps(maps),
        image(number / (maps.down * maps.across)),
        top(number / maps.across % maps.down * 4),
        left(number % maps.across * 4) {}

  // The place of a pixel relative to the tile's first one in a map of so many channels, or -1 beyond the map's edge.
  long place(int row, int column, long channels) const {
    long y = top + row, x = left + column;
    if (y < 0 || y >= maps.height || x < 0 || x >= maps.width) return -1;
    return ((image * maps.height + y) * maps.width + x) * channels;
  }
};

// Transforms SIDE x SIDE pixels of all channels to 36 points, each to a plane of its own; a panel of channels begins every `apart` floats.
template <int SIDE, int BEFORE, void (*TRANSFORM)(const Vector*, int, Vector*, int)>
void transform_tile(const float* map, const Tile& tile, long channels, float* to, long plane, long apart) {
  for (long channel = 0; channel < channels; channel += LANES) {
    Vector values[POINTS], half[POINTS];
    for (int row = 0; row < SIDE; row++)
      for (int column = 0; column < SIDE; column++) {
        long place = tile.place(row - BEFORE, column - BEFORE, channels);
        values[6 * row + column] = place < 0 ? Vector{} : load(map + place + channel);
      }
    for (int column = 0; column < SIDE; column++) TRANSFORM(values + column, 6, half + column, 6);
    for (int row = 0; row < 6; row++) TRANSFORM(half + 6 * row, 1, values + 6 * row, 1);
    float* first = to + channel / PANEL * apart + channel % PANEL;
    for (int point = 0; point < POINTS; point++) store(first + point * plane, values[point]);
  }
}

void write_tile(const float* points, long plane, const Tile& tile, long channels, const float* bias, float* map) {
  for (long channel = 0; channel < channels; channel += LANES) {
    Vector values[POINTS], half[POINTS];
    for (int point = 0; point < POINTS; point++) values[point] = load(points + point * plane + channel);
    for (int column = 0; column < 6; column++) transform_output(values + column, 6, half + column, 6);
    for (int row = 0; row < 4; row++) transform_output(half + 6 * row, 1, values + 6 * row, 1);
    const Vector shift = bias ? load(bias + channel) : Vector{};
    for (int row = 0; row < 4; row++)
      for (int column = 0; column < 4; column++) {
        long place = tile.place(row, column, channels);
        if (place >= 0) store(map + place + channel, values[6 * row + column] + shift);
      }
  }
}

// to[row][0 .. PANEL) = (MORE ? to : 0) + sum_i left[row * down + i * along] right[i * step ..], for COUNT rows.
template <int COUNT, bool MORE>
inline void product(const float* left, long down, long along, const float* right, long step, long terms, float* to, long apart) {
  Vector sums[COUNT][2];
#pragma GCC unroll 12
  for (int row = 0; row < COUNT; row++) {
    sums[row][0] = MORE ? load(to + row * apart) : Vector{};
    sums[row][1] = MORE ? load(to + row * apart + LANES) : Vector{};
  }
  for (long term = 0; term < terms; term++) {
    Vector first = load(right + term * step), second = load(right + term * step + LANES);
#pragma GCC unroll 12
    for (int row = 0; row < COUNT; row++) {
      Vector value = all(left[row * down + term * along]);
      sums[row][0] = add_product(value, first, sums[row][0]);
      sums[row][1] = add_product(value, second, sums[row][1]);
    }
  }
#pragma GCC unroll 12
  for (int row = 0; row < COUNT; row++) {
    store(to + row * apart, sums[row][0]);
    store(to + row * apart + LANES, sums[row][1]);
  }
}

// The product of a panel of channels with a panel of channels, over tiles.
template <bool MORE> inline void product_of_panels(const float* left, const float* right, long terms, float* to, long apart) {
  int row = 0;
  for (; row + ROWS <= PANEL; row += ROWS) product<ROWS, MORE>(left + row, 1, PANEL, right, PANEL, terms, to + row * apart, apart);
  constexpr int REST = PANEL % ROWS;
  if constexpr (REST > 0) product<REST, MORE>(left + row, 1, PANEL, right, PANEL, terms, to + row * apart, apart);
}

// Adds the gradients of the weights and of the bias of a convolution of few channels in one image, whose edge is padded with zeros.
template <int IN>
void add_weights_gradient(const float* padded, const float* gradient, float* to, float* bias, long height, long width, long out) {
  constexpr int FIRST = ROWS < 3 * IN ? ROWS : 3 * IN;
  for (long y = 0; y < height; y++)
    for (long column = 0; column < out; column += PANEL) {
      Vector first = load(bias + column), second = load(bias + column + LANES);
      for (long x = 0; x < width; x++) {
        first += load(gradient + (y * width + x) * out + column);
        second += load(gradient + (y * width + x) * out + column + LANES);
      }
      store(bias + column, first);
      store(bias + column + LANES, second);
      for (int row = 0; row < 3; row++) {
        const float *left = padded + (y + row) * (width + 2) * IN, *right = gradient + y * width * out + column;
        float* sums = to + row * 3 * IN * out + column;
        product<FIRST, true>(left, 1, IN, right, out, width, sums, out);
        if constexpr (FIRST < 3 * IN) product<3 * IN - FIRST, true>(left + FIRST, 1, IN, right, out, width, sums + FIRST * out, out);
      }
    }
}

}  // namespace

extern "C" {

// Channels in and out have to be a multiple of this.
long panel() { return PANEL; }

// Transforms weights, 3 3 in out, to point, panel of out, in, PANEL; turned by half a turn where the gradient of the input is wanted.
void transform(const float* weights, float* to, long in, long out, int turned, int threads) {
#pragma omp parallel for num_threads(threads)
  for (long row = 0; row < in; row++)
    for (long column = 0; column < out; column += LANES) {
      Vector taps[9], half[18], points[POINTS];
      for (int tap = 0; tap < 9; tap++) taps[tap] = load(weights + ((turned ? 8 - tap : tap) * in + row) * out + column);
      for (int x = 0; x < 3; x++) transform_weights(taps + x, 3, half + x, 3);
      for (int y = 0; y < 6; y++) transform_weights(half + 3 * y, 1, points + 6 * y, 1);
      float* first = to + column / PANEL * in * PANEL + row * PANEL + column % PANEL;
      for (int point = 0; point < POINTS; point++) store(first + point * in * out, points[point]);
    }
}

// Convolves maps with transformed weights, and adds a bias if there is one.
void convolve(
    const float* input, const float* weights, const float* bias, float* output, long images, long height, long width, long in, long out,
    int threads) {
  const Maps maps(images, height, width);
  const long tiles = maps.tiles(), most = std::max(1L, BLOCK / (POINTS * 4 * (in + out)));
  const long rounds = (tiles + most * threads - 1) / (most * threads);
  const long block = ((tiles + rounds * threads - 1) / (rounds * threads) + ROWS - 1) / ROWS * ROWS;
#pragma omp parallel num_threads(threads)
  {
    const long plane_in = block * in + ODD, plane_out = block * out + ODD;
    float* from = floats(POINTS * (plane_in + plane_out));
    float* to = from + POINTS * plane_in;
#pragma omp for schedule(static)
    for (long first = 0; first < tiles; first += block) {
      const long count = std::min(block, tiles - first), even = (count + ROWS - 1) / ROWS * ROWS;
      for (long tile = 0; tile < count; tile++)
        transform_tile<6, 1, transform_input>(input, Tile(maps, first + tile), in, from + tile * in, plane_in, PANEL);
      for (int point = 0; point < POINTS; point++) {
        float *left = from + point * plane_in, *sums = to + point * plane_out;
        std::memset(left + count * in, 0, (even - count) * in * 4);
        for (long column = 0; column < out; column += PANEL)
          for (long tile = 0; tile < even; tile += ROWS)
            product<ROWS, false>(left + tile * in, in, 1, weights + (point * out + column) * in, PANEL, in, sums + tile * out + column, out);
      }
      for (long tile = 0; tile < count; tile++) write_tile(to + tile * out, plane_out, Tile(maps, first + tile), out, bias, output);
    }
    std::free(from);
  }
}

// The gradients of the weights, 3 3 in out, and of the bias.
void weights_gradient(
    const float* input, const float* gradient, float* to, float* bias, long images, long height, long width, long in, long out, int threads) {
  const Maps maps(images, height, width);
  const long tiles = maps.tiles(), chunk = std::min(tiles, std::max(1L, CHUNK / (POINTS * 4 * (in + out))));
  const long plane_in = chunk * in + ODD, plane_out = chunk * out + ODD;
  float* left = floats(POINTS * (plane_in + plane_out + in * out));
  float *right = left + POINTS * plane_in, *sums = right + POINTS * plane_out;
#pragma omp parallel num_threads(threads)
  {
    for (long first = 0; first < tiles; first += chunk) {
      const long count = std::min(chunk, tiles - first);
#pragma omp for schedule(static)
      for (long tile = 0; tile < count; tile++) {
        const Tile place(maps, first + tile);
        transform_tile<6, 1, transform_input>(input, place, in, left + tile * PANEL, plane_in, count * PANEL);
        transform_tile<4, 0, transform_gradient>(gradient, place, out, right + tile * PANEL, plane_out, count * PANEL);
      }
#pragma omp for collapse(2) schedule(static)
      for (int point = 0; point < POINTS; point++)
        for (long row = 0; row < in; row += PANEL)
          for (long column = 0; column < out; column += PANEL) {
            const float *a = left + point * plane_in + row * count, *b = right + point * plane_out + column * count;
            float* sum = sums + (point * in + row) * out + column;
            first ? product_of_panels<true>(a, b, count, sum, out) : product_of_panels<false>(a, b, count, sum, out);
          }
#pragma omp for schedule(static)
      for (long channel = 0; channel < out; channel += LANES) {
        const float* sums_of_tiles = right + SUM * plane_out + channel / PANEL * PANEL * count + channel % PANEL;
        Vector sum = first ? load(bias + channel) : Vector{};
        for (long tile = 0; tile < count; tile++) sum += load(sums_of_tiles + tile * PANEL);
        store(bias + channel, sum);
      }
    }
#pragma omp for schedule(static)
    for (long row = 0; row < in; row++)
      for (long column = 0; column < out; column += LANES) {
        Vector points[POINTS], half[18], taps[9];
        for (int point = 0; point < POINTS; point++) points[point] = load(sums + (point * in + row) * out + column);
        for (int x = 0; x < 6; x++) gather_weights(points + x, 6, half + x, 6);
        for (int y = 0; y < 3; y++) gather_weights(half + 6 * y, 1, taps + 3 * y, 1);
        for (int tap = 0; tap < 9; tap++) store(to + (tap * in + row) * out + column, taps[tap]);
      }
  }
  std::free(left);
}

// The gradients of the weights, 3 3 in out, and of the bias of a convolution of 1 or 3 channels, directly.
void weights_gradient_of_few(
    const float* input, const float* gradient, float* to, float* bias, long images, long height, long width, long in, long out, int threads) {
  const long taps = 9 * in * out, each = taps + out, padded = (height + 2) * (width + 2) * in, line = width * in;
  float* sums = floats(images * each);
#pragma omp parallel num_threads(threads)
  {
    float* image = floats(padded);
    std::memset(image, 0, padded * 4);
#pragma omp for schedule(static)
    for (long number = 0; number < images; number++) {
      for (long y = 0; y < height; y++)
        std::memcpy(image + ((y + 1) * (width + 2) + 1) * in, input + (number * height + y) * line, line * 4);
      float* sum = sums + number * each;
      std::memset(sum, 0, each * 4);
      const float* there = gradient + number * height * width * out;
      in == 3 ? add_weights_gradient<3>(image, there, sum, sum + taps, height, width, out)
              : add_weights_gradient<1>(image, there, sum, sum + taps, height, width, out);
    }
    std::free(image);
#pragma omp for schedule(static)
    for (long value = 0; value < each; value += LANES) {
      Vector sum = load(sums + value);
      for (long number = 1; number < images; number++) sum += load(sums + number * each + value);
      store(value < taps ? to + value : bias + value - taps, sum);
    }
  }
  std::free(sums);
}

}  // extern "C"
