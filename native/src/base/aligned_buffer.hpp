// Memory for data that vector instructions stream: aligned to what the processor likes, in huge pages where
// the system gives them.
#pragma once

#include <cstddef>
#include <utility>

namespace gteway {

// `size` bytes, aligned to 64 (to 2 MiB where there are that many), not initialised. Huge pages are asked for
// where the system lets a program ask. Throws Error{kOutOfMemory}.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gteway
