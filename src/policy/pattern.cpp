#include "policy/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <string>
#include <utility>

namespace waypost::policy {
namespace {

// Names have 255 octets; what takes more than so many steps on one tries everything with
// everything.
constexpr std::uint32_t MatchLimit = 20'000;
constexpr std::size_t StackSize = std::size_t{64} << 10U;
constexpr std::size_t ArenaSize = std::size_t{64} << 10U;

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using OwnedGeneral = std::unique_ptr<pcre2_general_context, FreeWith<pcre2_general_context_free>>;
using OwnedContext = std::unique_ptr<pcre2_match_context, FreeWith<pcre2_match_context_free>>;
using OwnedData = std::unique_ptr<pcre2_match_data, FreeWith<pcre2_match_data_free>>;
using OwnedStack = std::unique_ptr<pcre2_jit_stack, FreeWith<pcre2_jit_stack_free>>;
using OwnedCode = std::unique_ptr<pcre2_code, FreeWith<pcre2_code_free>>;

// Memory for frames of matching without machine code, given out from a block that is there before.
// What is freed last is given out again; there is one block of frames at a time.
struct Arena {
  alignas(std::max_align_t) std::array<std::byte, ArenaSize> octets;
  std::size_t used = 0;
  std::size_t last = 0;

  static void* allocate(std::size_t size, void* arena) noexcept {
    auto& self = *static_cast<Arena*>(arena);
    constexpr std::size_t Alignment = alignof(std::max_align_t);
    const std::size_t rounded = (size + Alignment - 1) / Alignment * Alignment;
    if (rounded < size || rounded > ArenaSize - self.used) {
      return nullptr;
    }
    self.last = std::exchange(self.used, self.used + rounded);
    return self.octets.data() + self.last;
  }
  static void free(void* block, void* arena) noexcept {
    auto& self = *static_cast<Arena*>(arena);
    if (block == self.octets.data() + self.last) {
      self.used = self.last;
    }
  }
};

}  // namespace

struct PatternRoom::State {
  Arena arena;
  OwnedGeneral general;
  OwnedContext context;
  OwnedData data;
  OwnedStack stack;
};

PatternRoom::PatternRoom() : state_(std::make_unique<State>()) {
  state_->general.reset(
      pcre2_general_context_create(&Arena::allocate, &Arena::free, &state_->arena));
  state_->context.reset(pcre2_match_context_create(state_->general.get()));
  state_->data.reset(pcre2_match_data_create(Pattern::MaxGroups + 1, state_->general.get()));
  state_->stack.reset(pcre2_jit_stack_create(StackSize, StackSize, nullptr));
  pcre2_set_match_limit(state_->context.get(), MatchLimit);
  pcre2_set_heap_limit(state_->context.get(), ArenaSize >> 10U);
  if (state_->stack != nullptr) {
    pcre2_jit_stack_assign(state_->context.get(), nullptr, state_->stack.get());
  }
}

PatternRoom::~PatternRoom() = default;

std::string_view PatternRoom::group(std::string_view subject, std::size_t number) const noexcept {
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(state_->data.get());
  const PCRE2_SIZE from = offsets[2 * number];
  const PCRE2_SIZE to = offsets[2 * number + 1];
  // "\K" in an assertion can put the begin behind the end.
  return from == PCRE2_UNSET || from > to || to > subject.size() ? std::string_view()
                                                                 : subject.substr(from, to - from);
}

struct Pattern::Code {
  OwnedCode code;
};

Pattern::Pattern(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Pattern::~Pattern() = default;

Result<std::shared_ptr<const Pattern>> Pattern::compile(std::string_view expression) {
  const auto refuse = [&](const std::string& why) {
    return failure(ErrorKind::InvalidInput, "'" + std::string(expression.substr(0, 64)) +
                                                "' is no regular expression: " + why);
  };
  if (expression.size() > MaxSize) {
    return refuse("it has more than " + std::to_string(MaxSize) + " octets");
  }
  int error = 0;
  PCRE2_SIZE at = 0;
  auto code = std::make_unique<Code>();
  code->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                 PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |
                                     PCRE2_NEVER_UTF | PCRE2_NEVER_UCP,
                                 &error, &at, nullptr));
  if (code->code == nullptr) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return refuse(std::string(reinterpret_cast<const char*>(text.data())) + " at octet " +
                  std::to_string(at + 1));
  }
  // Without it, where a system forbids code that is made while the program runs, matching is
  // slower.
  pcre2_jit_compile(code->code.get(), PCRE2_JIT_COMPLETE);
  std::shared_ptr<const Pattern> pattern(new Pattern(std::move(code)));
  if (pattern->group_count() > MaxGroups) {
    return refuse("it has more than " + std::to_string(MaxGroups) + " groups");
  }
  return pattern;
}

Pattern::Outcome Pattern::match(std::string_view subject, PatternRoom& room) const noexcept {
  const int count =
      pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(),
                  0, 0, room.state_->data.get(), room.state_->context.get());
  return count > 0                      ? Outcome::Match
         : count == PCRE2_ERROR_NOMATCH ? Outcome::NoMatch
                                        : Outcome::GaveUp;
}

std::size_t Pattern::group_count() const noexcept {
  std::uint32_t count = 0;
  pcre2_pattern_info(code_->code.get(), PCRE2_INFO_CAPTURECOUNT, &count);
  return count;
}

std::optional<std::size_t> Pattern::group(std::string_view name) const {
  const int number = pcre2_substring_number_from_name(
      code_->code.get(), reinterpret_cast<PCRE2_SPTR>(std::string(name).c_str()));
  return number > 0 ? std::optional(static_cast<std::size_t>(number)) : std::nullopt;
}

}  // namespace waypost::policy
