// Several tensors as one sequence of elements, without copying: fuses them into one collective.
#ifndef DDL_COLLECTIVES_SPANS_H
#define DDL_COLLECTIVES_SPANS_H

#include <cstddef>
#include <vector>

namespace ddl {

class Spans {
 public:
  explicit Spans(size_t element_size) : element_size_(element_size), count_(0) {}

  void add(const void* input, void* output, size_t count) {
    if (count == 0) return;
    spans_.push_back({static_cast<const char*>(input), static_cast<char*>(output), count_});
    count_ += count;
  }

  size_t count() const { return count_; }  // elements
  size_t bytes() const { return count_ * element_size_; }
  size_t element_size() const { return element_size_; }
  bool single() const { return spans_.size() == 1; }
  const void* input() const { return spans_.front().input; }  // of the first tensor
  void* output() const { return spans_.front().output; }

  // Calls `visit(input, output, offset, n)` for each part of the elements [begin, end) that lies within one tensor;
  // `offset` counts elements from `begin`.
  template <class Visit>
  void each(size_t begin, size_t end, Visit visit) const {
    size_t index = begin < end ? find(begin) : spans_.size();
    for (size_t at = begin; at < end; ++index) {
      const Span& span = spans_[index];
      const size_t stop = index + 1 < spans_.size() ? spans_[index + 1].start : count_;
      const size_t n = (stop < end ? stop : end) - at;
      const size_t skip = (at - span.start) * element_size_;
      visit(span.input + skip, span.output + skip, at - begin, n);
      at += n;
    }
  }

 private:
  struct Span {
    const char* input;
    char* output;
    size_t start;
  };

  size_t find(size_t element) const {
    size_t low = 0, high = spans_.size();
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      (spans_[middle].start <= element ? low : high) = middle;
    }
    return low;
  }

  size_t element_size_, count_;
  std::vector<Span> spans_;
};

}  // namespace ddl

#endif
