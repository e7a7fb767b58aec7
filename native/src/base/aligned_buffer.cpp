#include "base/aligned_buffer.hpp"

#include <new>
#include <string>

#include "base/error.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gteway {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;

std::align_val_t alignment_of(size_t size) { return std::align_val_t(size >= kHugePage ? kHugePage : kLine); }

}  // namespace

AlignedBuffer::AlignedBuffer(size_t size) : size_(size) {
  if (size == 0) return;
  data_ = static_cast<std::byte*>(::operator new(size, alignment_of(size), std::nothrow));
  if (data_ == nullptr)
    throw Error(ErrorCode::kOutOfMemory,
                "no memory for " + std::to_string(size) + " bytes of weights or workspace");
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Only whole huge pages, so that a small rest does not take 2 MiB. Advice: a refusal changes nothing.
  if (size >= kHugePage) (void)madvise(data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) ::operator delete(data_, alignment_of(size_));
}

}  // namespace gteway
