// Instance norm, rectifier and average pool of maps in one pass each way: the map between them is never written.
// Maps are image height width channel, of even sides, floats or of 16 bits; channels are a multiple of PANEL. What is kept is floats.

namespace {

// A few channels of one image, normalised.
struct Normalised {
  Vector mean, inverse, weight, bias;

  Normalised(const float* means, const float* inverses, const float* weights, const float* biases, long image, long channel)
      : mean(load(means + image + channel)),
        inverse(load(inverses + image + channel)),
        weight(load(weights + channel)),
        bias(load(biases + channel)) {}

  Vector value(Vector pixel) const { return (pixel - mean) * inverse; }
  Vector shifted(Vector value) const { return add_product(value, weight, bias); }
  Vector scale() const { return inverse * weight; }
};

// The average over cells of 2x2 pixels of what the rectifier leaves of instance-normalised maps; keeps means and inverse deviations.
template <class Value>
void normalise_maps(
    const Value* input, const float* weights, const float* bias, Value* output, float* means, float* inverses, long images, long height,
    long width, long channels, float epsilon, int threads) {
  const float share = 1.f / (height * width);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long image = 0; image < images; image++) {
    const Value* maps = input + image * height * width * channels;
    for (long channel = 0; channel < channels; channel += PANEL) {
      Vector origin[2], sum[2]{}, squares[2]{};
      for (int half = 0; half < 2; half++) origin[half] = load(maps + channel + half * LANES);
      for (long pixel = 0; pixel < height * width; pixel++)
        for (int half = 0; half < 2; half++) {  // deviations from one of the values cancel less than the values themselves
          const Vector value = load(maps + pixel * channels + channel + half * LANES) - origin[half];
          sum[half] += value;
          squares[half] = add_product(value, value, squares[half]);
        }
      for (int half = 0; half < 2; half++) {
        const Vector shift = sum[half] * all(share);
        const Vector variance = squares[half] * all(share) - shift * shift;
        Vector inverse{};
        for (int lane = 0; lane < LANES; lane++) inverse[lane] = 1 / std::sqrt(std::max(variance[lane], 0.f) + epsilon);
        store(means + image * channels + channel + half * LANES, origin[half] + shift);
        store(inverses + image * channels + channel + half * LANES, inverse);
      }
    }
    for (long y = 0; y < height; y += 2)
      for (long x = 0; x < width; x += 2)
        for (long channel = 0; channel < channels; channel += LANES) {
          const Normalised normalised(means, inverses, weights, bias, image * channels, channel);
          Vector sum{};
          for (long pixel : {y * width + x, y * width + x + 1, (y + 1) * width + x, (y + 1) * width + x + 1}) {
            const Vector value = normalised.shifted(normalised.value(load(maps + pixel * channels + channel)));
            sum += value < Vector{} ? Vector{} : value;  // what is not a number stays so
          }
          store(output + ((image * height / 2 + y / 2) * (width / 2) + x / 2) * channels + channel, sum * all(1 / 4.f));
        }
  }
}

// The gradients of `normalise_maps`: of its input, and of weights and bias by image.
template <class Value>
void gradient_of_maps(
    const Value* input, const Value* gradient, const float* weights, const float* bias, const float* means, const float* inverses, Value* to,
    float* to_weights, float* to_bias, long images, long height, long width, long channels, int threads) {
  const float share = 1.f / (height * width);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long image = 0; image < images; image++) {
    const Value *maps = input + image * height * width * channels, *above = gradient + image * height * width / 4 * channels;
    Value* there = to + image * height * width * channels;
    float *products = to_weights + image * channels, *sums = to_bias + image * channels;
    std::memset(products, 0, channels * 4);
    std::memset(sums, 0, channels * 4);
    for (int pass = 0; pass < 2; pass++)
      for (long y = 0; y < height; y += 2)
        for (long x = 0; x < width; x += 2)
          for (long channel = 0; channel < channels; channel += LANES) {
            const Normalised normalised(means, inverses, weights, bias, image * channels, channel);
            const Vector each = load(above + (y / 2 * (width / 2) + x / 2) * channels + channel) * all(1 / 4.f);
            Vector product = load(products + channel), sum = load(sums + channel);
            const Vector of_values = product * all(share), of_all = sum * all(share);
            for (long pixel : {y * width + x, y * width + x + 1, (y + 1) * width + x, (y + 1) * width + x + 1}) {
              const Vector value = normalised.value(load(maps + pixel * channels + channel));
              const Vector passed = normalised.shifted(value) <= Vector{} ? Vector{} : each;
              if (pass == 0) {
                sum += passed;
                product = add_product(passed, value, product);
              } else {
                store(there + pixel * channels + channel, (passed - of_all - value * of_values) * normalised.scale());
              }
            }
            if (pass == 0) {
              store(products + channel, product);
              store(sums + channel, sum);
            }
          }
  }
}

}  // namespace

extern "C" {

void normalise(
    const float* input, const float* weights, const float* bias, float* output, float* means, float* inverses, long images, long height,
    long width, long channels, float epsilon, int threads) {
  normalise_maps(input, weights, bias, output, means, inverses, images, height, width, channels, epsilon, threads);
}

void normalise_gradient(
    const float* input, const float* gradient, const float* weights, const float* bias, const float* means, const float* inverses,
    float* to, float* to_weights, float* to_bias, long images, long height, long width, long channels, int threads) {
  gradient_of_maps(input, gradient, weights, bias, means, inverses, to, to_weights, to_bias, images, height, width, channels, threads);
}

void normalise_16(
    const uint16_t* input, const float* weights, const float* bias, uint16_t* output, float* means, float* inverses, long images, long height,
    long width, long channels, float epsilon, int threads) {
  normalise_maps(input, weights, bias, output, means, inverses, images, height, width, channels, epsilon, threads);
}

void normalise_gradient_16(
    const uint16_t* input, const uint16_t* gradient, const float* weights, const float* bias, const float* means, const float* inverses,
    uint16_t* to, float* to_weights, float* to_bias, long images, long height, long width, long channels, int threads) {
  gradient_of_maps(input, gradient, weights, bias, means, inverses, to, to_weights, to_bias, images, height, width, channels, threads);
}

}  // extern "C"
