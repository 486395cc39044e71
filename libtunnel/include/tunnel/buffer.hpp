// SPDX-License-Identifier: Apache-2.0
// Buffer: a queue of bytes as slices of reference-counted chunks. Moving bytes from one Buffer to another relinks large
// slices and copies small ones, so a stream of one-byte pieces packs into chunks instead of pinning one each. One
// worker's: reference counts are not atomic. Not a string: bytes need not be contiguous, see linearise().
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tunnel {

// A block of memory several slices may share. `used` is how far it has been filled; only a slice that ends there may
// grow.
struct Chunk {
  std::uint32_t references;
  std::uint32_t capacity;
  std::uint32_t used;
  char* data() { return reinterpret_cast<char*>(this + 1); }
  static Chunk* make(std::size_t capacity);  // rounded up to a size class; one reference
  static void release(Chunk* chunk) noexcept;
};

class Buffer {
 public:
  static constexpr std::size_t kChunkBytes = 16384;  // what small pieces are packed into
  static constexpr std::size_t kRelinkBytes = 4096;  // pieces at least this long are relinked, not copied

  Buffer() = default;
  explicit Buffer(std::string_view bytes) { append(bytes); }
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { reset(); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Capacity of the chunks this buffer keeps alive (a chunk with neighbouring slices counts once): what limits are
  // about.
  std::size_t capacity_held() const { return held_; }
  void clear() noexcept;

  // Copies bytes to the end.
  void append(std::string_view bytes);
  // Moves everything, or the first n bytes, to the end of `to`; returns how many bytes moved.
  std::size_t move_to(Buffer& to) { return move_to(to, size_); }
  std::size_t move_to(Buffer& to, std::size_t n);
  // Moves bytes while `to` holds at most `limit` of capacity afterwards; copies where relinking would hold more than
  // bytes moved.
  std::size_t move_to_within(Buffer& to, std::size_t n, std::size_t limit);
  void prepend(Buffer&& front);
  // Drops the first n bytes.
  void consume(std::size_t n);

  // The first contiguous piece; empty only if the buffer is.
  std::string_view front() const;
  // Makes the first n bytes contiguous (copying if they are not) and returns them; n <= size().
  std::string_view linearise(std::size_t n);
  // Fills `out` with the pieces in order; returns how many were filled.
  std::size_t gather(std::span<iovec> out) const;
  std::string to_string() const;

  // Room for at least one byte and about `hint` at the end; bytes count once commit()ted. prepare() may keep a chunk:
  // call commit(0) when nothing came, which gives it back.
  std::span<char> prepare(std::size_t hint);
  void commit(std::size_t n);

 private:
  struct Slice {
    Chunk* chunk;
    std::uint32_t offset;
    std::uint32_t length;
    char* data() const { return chunk->data() + offset; }
  };
  static_assert(sizeof(Slice) == 16);

  Slice& at(std::size_t i) { return slices_[(head_ + i) & (capacity_ - 1)]; }
  const Slice& at(std::size_t i) const { return slices_[(head_ + i) & (capacity_ - 1)]; }
  void push_back(Slice slice);
  void push_front(Slice slice);
  void pop_front();
  void grow();
  void reset() noexcept;
  bool tail_has_room() const;
  std::size_t tail_room() const;

  Slice* slices_ = nullptr;
  std::uint32_t capacity_ = 0;  // a power of two
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
  std::size_t size_ = 0;
  std::size_t held_ = 0;
};

}  // namespace tunnel
