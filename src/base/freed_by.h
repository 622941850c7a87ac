// Ownership of what a C library makes and one of its functions frees:
// std::unique_ptr<BIO, FreedBy<BIO_free_all>>.

#pragma once

namespace waypost {

template <auto Free>
struct FreedBy {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

}  // namespace waypost
