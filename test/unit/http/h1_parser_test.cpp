// SPDX-License-Identifier: Apache-2.0
#include "http/h1_parser.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace tunnel::h1 {
namespace {

using Step = ChunkDecoder::Step;

// The pieces as slices of chunks of their own.
Buffer sliced(const std::vector<std::string_view>& pieces) {
  Buffer result;
  for (std::size_t i = pieces.size(); i > 0; --i) {
    Buffer piece(pieces[i - 1]);
    result.prepend(std::move(piece));
  }
  return result;
}

struct Decoded {
  Step last = Step::need_more;
  std::string body;
};

Decoded decode(ChunkDecoder& decoder, Buffer& input, std::size_t max = 65536) {
  Decoded result;
  Buffer into;
  do {
    result.last = decoder.decode(input, into, max);
  } while (result.last == Step::data);
  result.body = into.to_string();
  return result;
}

const std::string kWhole = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n";

TEST(ChunkDecoder, EverySplitInTwoSlicesAndInTwoReads) {
  const Limits limits;
  const std::string_view whole = kWhole;
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    for (std::size_t second = cut; second < whole.size(); ++second) {
      SCOPED_TRACE(std::to_string(cut) + ", " + std::to_string(second));
      ChunkDecoder decoder(limits);
      Buffer input = sliced({whole.substr(0, cut), whole.substr(cut, second - cut)});
      Decoded first = decode(decoder, input);
      ASSERT_EQ(first.last, Step::need_more);
      Buffer rest = sliced({whole.substr(second), "next"});
      rest.prepend(std::move(input));
      Decoded then = decode(decoder, rest);
      ASSERT_EQ(then.last, Step::end);
      ASSERT_EQ(first.body + then.body, "abc0123456789");
      ASSERT_EQ(*decoder.trailers().find("x"), "y");
      ASSERT_EQ(rest.to_string(), "next");
    }
  }
}

TEST(ChunkDecoder, ALastChunkAloneInAnyPieces) {
  const Limits limits;
  const std::string_view whole = "0\r\n\r\n";
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    for (std::size_t second = cut + 1; second <= whole.size(); ++second) {
      ChunkDecoder decoder(limits);
      Buffer input = sliced({whole.substr(0, cut), whole.substr(cut, second - cut)});
      const Step step = decode(decoder, input).last;
      ASSERT_EQ(step, second == whole.size() ? Step::end : Step::need_more) << cut << ' ' << second;
    }
  }
}

TEST(ChunkDecoder, GivesNoMoreThanAskedFor) {
  const Limits limits;
  ChunkDecoder decoder(limits);
  Buffer input(kWhole);
  Buffer into;
  std::string sizes;
  while (decoder.decode(input, into, 2) == Step::data) {
    sizes += std::to_string(into.size()) + ' ';
    into.clear();
  }
  EXPECT_EQ(sizes, "2 2 2 2 2 2 1 ");
}

TEST(ChunkDecoder, LargeChunksAreRelinkedNotCopied) {
  const Limits limits;
  ChunkDecoder decoder(limits);
  Buffer input;
  const std::span<char> room = input.prepare(16384);
  const std::string head = "2000\r\n";
  std::copy(head.begin(), head.end(), room.begin());
  std::fill_n(room.begin() + 6, 8192, 'z');
  input.commit(6 + 8192);
  const char* body = input.front().data() + 6;
  Buffer into;
  EXPECT_EQ(decoder.decode(input, into, 65536), Step::data);
  EXPECT_EQ(into.size(), 8192U);
  EXPECT_EQ(into.front().data(), body);
}

TEST(ChunkDecoder, AFaultStaysOne) {
  const Limits limits;
  ChunkDecoder decoder(limits);
  Buffer input("3\r\nabcX\r\n");
  Decoded result = decode(decoder, input);
  EXPECT_EQ(result.body, "abc");
  EXPECT_EQ(result.last, Step::fault);
  EXPECT_EQ(decoder.fault().status, 400);
  Buffer more("0\r\n\r\n");
  EXPECT_EQ(decode(decoder, more).last, Step::fault);
}

TEST(Heads, FramingFieldsAreTakenOutByWholeLines) {
  EXPECT_EQ(without_framing_fields(
                "HTTP/1.1 200 OK\r\nContent-length: 3\r\nX: content-length: 3\r\nTRANSFER-ENCODING:x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nX: content-length: 3\r\n\r\n");
}

TEST(Heads, MustBeWhole) {
  http::RawHead raw;
  EXPECT_FALSE(parse_request_head("GET / HTTP/1.1\r\nHost: a\r\n", raw));
  http::RawHead whole;
  EXPECT_TRUE(parse_request_head("GET / HTTP/1.1\r\nHOST: a\r\n\r\n", whole));
  EXPECT_EQ(whole.method, "GET");
  EXPECT_EQ(whole.target, "/");
  EXPECT_EQ(*whole.fields.find("host"), "a");
  http::RawHead response;
  EXPECT_TRUE(parse_response_head("HTTP/1.0 204 \r\n\r\n", response));
  EXPECT_EQ(response.status, 204U);
  EXPECT_EQ(response.version, 10);
}

}  // namespace
}  // namespace tunnel::h1
