// SPDX-License-Identifier: Apache-2.0
#include "tunnel/buffer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "base/memory.hpp"

namespace tunnel {
namespace {

constexpr std::array<std::size_t, 4> kClasses{1024, 4096, 16384, 65536};

// A few freed chunks a thread: a read is tried before anyone knows whether bytes are there, and must not cost a malloc
// each.
struct FreeChunks {
  static constexpr std::size_t kKept = 16;
  std::array<std::vector<Chunk*>, kClasses.size()> lists;
  bool alive = true;
  ~FreeChunks() {
    alive = false;
    for (auto& list : lists)
      for (Chunk* chunk : list) std::free(chunk);
  }
};
#ifdef TUNNEL_SANITIZED
constexpr bool kReuseChunks = false;  // so that the sanitizer sees every use after free
#else
constexpr bool kReuseChunks = true;
#endif
thread_local FreeChunks free_chunks;

std::size_t class_of(std::size_t capacity) {
  return static_cast<std::size_t>(std::lower_bound(kClasses.begin(), kClasses.end(), capacity) - kClasses.begin());
}

}  // namespace

Chunk* Chunk::make(std::size_t capacity) {
  const std::size_t size_class = class_of(capacity);
  if (size_class < kClasses.size()) {
    capacity = kClasses[size_class];
    auto& list = free_chunks.lists[size_class];
    if (kReuseChunks && !list.empty()) {
      Chunk* chunk = list.back();
      list.pop_back();
      memory::hold(capacity);
      chunk->references = 1;
      chunk->used = 0;
      return chunk;
    }
    if (kReuseChunks && list.capacity() == 0) list.reserve(FreeChunks::kKept);  // here, so that release() never does
  }
  auto* chunk = static_cast<Chunk*>(std::malloc(sizeof(Chunk) + capacity));
  if (chunk == nullptr) throw std::bad_alloc();
  chunk->references = 1;
  chunk->capacity = static_cast<std::uint32_t>(capacity);
  memory::hold(capacity);
  chunk->used = 0;
  return chunk;
}

void Chunk::release(Chunk* chunk) noexcept {
  if (--chunk->references > 0) return;
  memory::let_go(chunk->capacity);
  const std::size_t size_class = class_of(chunk->capacity);
  if (kReuseChunks && free_chunks.alive && size_class < kClasses.size()) {
    auto& list = free_chunks.lists[size_class];
    if (list.size() < list.capacity()) {
      list.push_back(chunk);
      return;
    }
  }
  std::free(chunk);
}

Buffer::Buffer(Buffer&& other) noexcept
    : slices_(std::exchange(other.slices_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      head_(std::exchange(other.head_, 0)),
      count_(std::exchange(other.count_, 0)),
      size_(std::exchange(other.size_, 0)),
      held_(std::exchange(other.held_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  reset();
  slices_ = std::exchange(other.slices_, nullptr);
  capacity_ = std::exchange(other.capacity_, 0);
  head_ = std::exchange(other.head_, 0);
  count_ = std::exchange(other.count_, 0);
  size_ = std::exchange(other.size_, 0);
  held_ = std::exchange(other.held_, 0);
  return *this;
}

void Buffer::reset() noexcept {
  clear();
  std::free(slices_);
  slices_ = nullptr;
  capacity_ = 0;
}

void Buffer::clear() noexcept {
  for (std::size_t i = 0; i < count_; ++i) Chunk::release(at(i).chunk);
  head_ = count_ = 0;
  size_ = held_ = 0;
}

void Buffer::grow() {
  const std::uint32_t capacity = capacity_ == 0 ? 2 : capacity_ * 2;
  auto* slices = static_cast<Slice*>(std::malloc(capacity * sizeof(Slice)));
  if (slices == nullptr) throw std::bad_alloc();
  for (std::size_t i = 0; i < count_; ++i) slices[i] = at(i);
  std::free(slices_);
  slices_ = slices;
  capacity_ = capacity;
  head_ = 0;
}

void Buffer::push_back(Slice slice) {
  if (count_ == capacity_) grow();
  if (count_ == 0 || at(count_ - 1).chunk != slice.chunk) held_ += slice.chunk->capacity;
  ++count_;
  at(count_ - 1) = slice;
  size_ += slice.length;
}

void Buffer::push_front(Slice slice) {
  if (count_ == capacity_) grow();
  if (count_ == 0 || at(0).chunk != slice.chunk) held_ += slice.chunk->capacity;
  head_ = (head_ + capacity_ - 1) & (capacity_ - 1);
  ++count_;
  at(0) = slice;
  size_ += slice.length;
}

void Buffer::pop_front() {
  const Slice slice = at(0);
  if (count_ == 1 || at(1).chunk != slice.chunk) held_ -= slice.chunk->capacity;
  size_ -= slice.length;
  head_ = (head_ + 1) & (capacity_ - 1);
  --count_;
  Chunk::release(slice.chunk);
}

std::size_t Buffer::tail_room() const {
  if (count_ == 0) return 0;
  const Slice& tail = at(count_ - 1);
  return tail.offset + tail.length == tail.chunk->used ? tail.chunk->capacity - tail.chunk->used : 0;
}

bool Buffer::tail_has_room() const { return tail_room() > 0; }

void Buffer::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!tail_has_room()) {
      Chunk* chunk = Chunk::make(std::min(bytes.size() + (size_ == 0 ? 0 : kChunkBytes), kChunkBytes));
      push_back(Slice{chunk, 0, 0});
    }
    Slice& tail = at(count_ - 1);
    const std::size_t n = std::min(bytes.size(), tail_room());
    std::memcpy(tail.data() + tail.length, bytes.data(), n);
    tail.length += static_cast<std::uint32_t>(n);
    tail.chunk->used += static_cast<std::uint32_t>(n);
    size_ += n;
    bytes.remove_prefix(n);
  }
}

std::size_t Buffer::move_to(Buffer& to, std::size_t n) {
  n = std::min(n, size_);
  for (std::size_t left = n; left > 0;) {
    Slice& slice = at(0);
    const std::size_t length = std::min<std::size_t>(slice.length, left);
    if (length >= kRelinkBytes || (to.count_ == 0 && length == slice.length && slice.chunk->capacity <= 4 * length)) {
      ++slice.chunk->references;
      to.push_back(Slice{slice.chunk, slice.offset, static_cast<std::uint32_t>(length)});
    } else {
      to.append(std::string_view(slice.data(), length));
    }
    consume(length);
    left -= length;
  }
  return n;
}

std::size_t Buffer::move_to_within(Buffer& to, std::size_t n, std::size_t limit) {
  std::size_t moved = 0;
  n = std::min(n, size_);
  while (moved < n) {
    Slice& slice = at(0);
    std::size_t length = std::min<std::size_t>(slice.length, n - moved);
    // Relinking pins the whole chunk: worth it only if at least three quarters of what it pins is payload.
    const bool dense = length * 4 >= std::size_t{slice.chunk->capacity} * 3;
    if (length >= kRelinkBytes && dense && to.held_ + slice.chunk->capacity <= limit) {
      ++slice.chunk->references;
      to.push_back(Slice{slice.chunk, slice.offset, static_cast<std::uint32_t>(length)});
    } else {
      if (!to.tail_has_room()) {
        if (to.held_ >= limit) break;
        const std::size_t room = std::min(limit - to.held_, kChunkBytes);
        if (room < 1024) break;
        Chunk* chunk = Chunk::make(length <= 1024 && to.empty() ? 1024 : std::min(room, kChunkBytes));
        if (to.held_ + chunk->capacity > limit) {
          Chunk::release(chunk);
          chunk = Chunk::make(1024);
        }
        to.push_back(Slice{chunk, 0, 0});
      }
      length = std::min(length, to.tail_room());
      to.append(std::string_view(slice.data(), length));
    }
    consume(length);
    moved += length;
  }
  return moved;
}

void Buffer::prepend(Buffer&& front) {
  for (std::size_t i = front.count_; i > 0; --i) {
    const Slice& slice = front.at(i - 1);
    ++slice.chunk->references;
    push_front(slice);
  }
  front.clear();
}

void Buffer::consume(std::size_t n) {
  assert(n <= size_);
  while (n > 0) {
    Slice& slice = at(0);
    if (n < slice.length) {
      slice.offset += static_cast<std::uint32_t>(n);
      slice.length -= static_cast<std::uint32_t>(n);
      size_ -= n;
      return;
    }
    n -= slice.length;
    pop_front();
  }
}

std::string_view Buffer::front() const {
  for (std::size_t i = 0; i < count_; ++i)
    if (at(i).length > 0) return {at(i).data(), at(i).length};
  return {};
}

std::string_view Buffer::linearise(std::size_t n) {
  assert(n <= size_);
  if (n == 0) return {};
  if (at(0).length < n) {
    Chunk* chunk = Chunk::make(n);
    std::size_t copied = 0;
    while (copied < n) {
      const Slice& slice = at(0);
      const std::size_t length = std::min<std::size_t>(slice.length, n - copied);
      std::memcpy(chunk->data() + copied, slice.data(), length);
      copied += length;
      consume(length);
    }
    chunk->used = static_cast<std::uint32_t>(n);
    push_front(Slice{chunk, 0, static_cast<std::uint32_t>(n)});
  }
  return {at(0).data(), n};
}

std::size_t Buffer::gather(std::span<iovec> out) const {
  std::size_t filled = 0;
  for (std::size_t i = 0; i < count_ && filled < out.size(); ++i) {
    if (at(i).length == 0) continue;
    out[filled++] = iovec{at(i).data(), at(i).length};
  }
  return filled;
}

std::string Buffer::to_string() const {
  std::string text;
  text.reserve(size_);
  for (std::size_t i = 0; i < count_; ++i) text.append(at(i).data(), at(i).length);
  return text;
}

std::span<char> Buffer::prepare(std::size_t hint) {
  if (tail_room() < std::min<std::size_t>(hint, 512))
    push_back(Slice{Chunk::make(std::max<std::size_t>(hint, 1)), 0, 0});
  const Slice& tail = at(count_ - 1);
  return {tail.data() + tail.length, std::min<std::size_t>(tail_room(), std::max<std::size_t>(hint, 1))};
}

void Buffer::commit(std::size_t n) {
  Slice& tail = at(count_ - 1);
  tail.length += static_cast<std::uint32_t>(n);
  tail.chunk->used += static_cast<std::uint32_t>(n);
  size_ += n;
  if (tail.length > 0) return;
  // Nothing came: give the chunk back, so that waiting holds no memory.
  Chunk* chunk = tail.chunk;
  if (count_ == 1 || at(count_ - 2).chunk != chunk) held_ -= chunk->capacity;
  --count_;
  Chunk::release(chunk);
  if (count_ == 0) {
    head_ = 0;
    if (capacity_ > 8) reset();
  }
}

}  // namespace tunnel
