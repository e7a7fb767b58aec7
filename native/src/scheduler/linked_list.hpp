// Lists whose links are in their elements, so that moving something from one to another needs no memory and
// cannot fail.
#pragma once

namespace gteway {

template <class T>
struct Link {
  T* before = nullptr;
  T* after = nullptr;
};

// Owns nothing. An element is in one list per link at most; who calls has to know whether it is in.
template <class T, Link<T> T::*Member>
class LinkedList {
 public:
  LinkedList() = default;
  LinkedList(const LinkedList&) = delete;
  LinkedList& operator=(const LinkedList&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  T& front() const noexcept { return *first_; }  // not where empty()

  void push_back(T& element) noexcept { insert(last_, element, nullptr); }
  void push_front(T& element) noexcept { insert(nullptr, element, first_); }
  void erase(T& element) noexcept {
    Link<T>& link = element.*Member;
    (link.before != nullptr ? (link.before->*Member).after : first_) = link.after;
    (link.after != nullptr ? (link.after->*Member).before : last_) = link.before;
    link = {};
  }

 private:
  void insert(T* before, T& element, T* after) noexcept {
    element.*Member = {before, after};
    (before != nullptr ? (before->*Member).after : first_) = &element;
    (after != nullptr ? (after->*Member).before : last_) = &element;
  }

  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace gteway
