// Instance norm, rectifier and average pool of maps in one pass each way: the map between them is never written.
// Maps are image height width channel, of even sides; channels are a multiple of LANES.

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

}  // namespace

extern "C" {

// The average over cells of 2x2 pixels of what the rectifier leaves of instance-normalised maps; keeps means and inverse deviations.
void normalise(
    const float* input, const float* weights, const float* bias, float* output, float* means, float* inverses, long images, long height,
    long width, long channels, float epsilon, int threads) {
  const float share = 1.f / (height * width);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long image = 0; image < images; image++) {
    const float* maps = input + image * height * width * channels;
    for (long channel = 0; channel < channels; channel += LANES) {
      const Vector origin = load(maps + channel);  // deviations from one of the values cancel less than the values themselves
      Vector sum{}, squares{};
      for (long pixel = 0; pixel < height * width; pixel++) {
        Vector value = load(maps + pixel * channels + channel) - origin;
        sum += value;
        squares = add_product(value, value, squares);
      }
      const Vector shift = sum * all(share);
      const Vector variance = squares * all(share) - shift * shift;
      Vector inverse{};
      for (int lane = 0; lane < LANES; lane++) inverse[lane] = 1 / std::sqrt(std::max(variance[lane], 0.f) + epsilon);
      store(means + image * channels + channel, origin + shift);
      store(inverses + image * channels + channel, inverse);
    }
    for (long y = 0; y < height; y += 2)
      for (long x = 0; x < width; x += 2)
        for (long channel = 0; channel < channels; channel += LANES) {
          const Normalised normalised(means, inverses, weights, bias, image * channels, channel);
          Vector sum{};
          for (long pixel : {y * width + x, y * width + x + 1, (y + 1) * width + x, (y + 1) * width + x + 1}) {
            const Vector value = normalised.shifted(normalised.value(load(maps + pixel * channels + channel)));
            sum += value > Vector{} ? value : Vector{};
          }
          store(output + ((image * height / 2 + y / 2) * (width / 2) + x / 2) * channels + channel, sum * all(1 / 4.f));
        }
  }
}

// The gradients of `normalise`: of its input, and of weights and bias by image.
void normalise_gradient(
    const float* input, const float* gradient, const float* weights, const float* bias, const float* means, const float* inverses, float* to,
    float* to_weights, float* to_bias, long images, long height, long width, long channels, int threads) {
  const float share = 1.f / (height * width);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long image = 0; image < images; image++) {
    const float *maps = input + image * height * width * channels, *above = gradient + image * height * width / 4 * channels;
    float *there = to + image * height * width * channels, *products = to_weights + image * channels, *sums = to_bias + image * channels;
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
              const Vector passed = normalised.shifted(value) > Vector{} ? each : Vector{};
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

}  // extern "C"
