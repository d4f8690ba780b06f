#include "checkpoints/pickle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <unordered_map>

#include "checkpoints/safetensors_header.h"

namespace sfumato {
namespace {

/// Reads a pickle's bytes from the front.
class PickleBytes {
 public:
  explicit PickleBytes(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) throw std::runtime_error("it ends in the middle of the pickle");
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  template <class T>
  T number() {
    T value{};
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view line() {
    const auto text = take(std::min(rest_.find('\n'), rest_.size()));
    take(1);
    return text;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// The machine that executes a pickle: a stack with marks, and a memo.
class Unpickler {
 public:
  explicit Unpickler(std::string_view bytes) : bytes_(bytes) {}

  Pickle run();
  std::string_view rest() const { return bytes_.rest(); }

  void push(PickleValue value) { stack_.push_back(&pickle_.values.emplace_back(std::move(value))); }
  void push_text(std::uint64_t size) { push({std::string(bytes_.take(size))}); }
  void push_long(std::string_view bytes);
  void push_float();
  void push_global(const std::string& name);
  void push_named_global();
  void tuple(std::size_t size);
  void tuple_to_mark() { push({pop_to_mark()}); }
  void mark() { marks_.push_back(stack_.size()); }
  void remember(std::uint64_t index) { memo_[index] = top(); }
  void memoize() { remember(memo_.size()); }
  void recall(std::uint64_t index);
  void append(std::size_t count);
  void append_to_mark() { append(above_mark()); }
  void set_items(std::size_t count);
  void set_items_to_mark() { set_items(above_mark()); }
  void reduce();
  void make_object();
  void drop() { pop(); }
  void opaque_to_mark();
  void build();
  void load_persistent();
  PickleBytes& bytes() { return bytes_; }

 private:
  PickleValue* top() {
    if (stack_.empty()) throw std::runtime_error("the pickle takes from an empty stack");
    return stack_.back();
  }
  PickleValue* pop() {
    auto* value = top();
    stack_.pop_back();
    return value;
  }
  PickleList pop(std::size_t count);
  std::size_t above_mark();
  PickleList pop_to_mark() { return pop(above_mark()); }
  template <class T>
  T& top_as(const char* what) {
    auto* value = std::get_if<T>(&top()->value);
    if (value == nullptr) throw std::runtime_error(std::string("the pickle has another value where it needs ") + what);
    return *value;
  }

  PickleBytes bytes_;
  Pickle pickle_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

/// Pushes an integer in two's complement, lowest byte first; no shape has more than 64 bits.
void Unpickler::push_long(std::string_view bytes) {
  if (bytes.size() > sizeof(std::uint64_t)) return push({PickleOpaque{}});
  std::uint64_t value = !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  push({static_cast<std::int64_t>(value)});
}

void Unpickler::push_float() {  // big-endian, unlike all other numbers
  auto text = std::string(bytes_.take(sizeof(double)));
  std::reverse(text.begin(), text.end());
  double value = 0;
  std::memcpy(&value, text.data(), sizeof(value));
  push({value});
}

void Unpickler::push_global(const std::string& name) {
  if (!is_known_global(name))
    throw std::runtime_error("it names " + in_quotes(name) + ", which no weights need and which may run any code");
  push({PickleGlobal{name}});
}

/// Takes the name from the stack, as protocol 4 does.
void Unpickler::push_named_global() {
  const auto name = top_as<std::string>("a name");
  pop();
  const auto module = top_as<std::string>("a module");
  pop();
  push_global(module + "." + name);
}

PickleList Unpickler::pop(std::size_t count) {
  if (count > stack_.size()) throw std::runtime_error("the pickle takes from an empty stack");
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  PickleList values(first, stack_.end());
  stack_.erase(first, stack_.end());
  return values;
}

std::size_t Unpickler::above_mark() {
  if (marks_.empty() || marks_.back() > stack_.size()) throw std::runtime_error("the pickle lacks a mark");
  const auto count = stack_.size() - marks_.back();
  marks_.pop_back();
  return count;
}

void Unpickler::tuple(std::size_t size) {
  auto values = pop(size);
  push({std::move(values)});
}

void Unpickler::recall(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) throw std::runtime_error("the pickle reads a memo entry that it has not stored");
  stack_.push_back(found->second);
}

void Unpickler::append(std::size_t count) {
  const auto values = pop(count);
  auto& list = top_as<PickleList>("a list");
  list.insert(list.end(), values.begin(), values.end());
}

void Unpickler::set_items(std::size_t count) {
  const auto values = pop(count);
  auto& dict = top_as<PickleDict>("a dictionary");
  if (values.size() % 2 != 0) throw std::runtime_error("the pickle has a key without a value");
  for (std::size_t i = 0; i < values.size(); i += 2) dict.emplace_back(values[i], values[i + 1]);
}

void Unpickler::reduce() {
  const auto& arguments = top_as<PickleList>("arguments");
  pop();
  const auto function = top_as<PickleGlobal>("a function").name;
  pop();
  push(call_known_global(function, arguments));
}

void Unpickler::make_object() {
  const auto& arguments = top_as<PickleList>("arguments");
  pop();
  const auto type = top_as<PickleGlobal>("a class").name;
  pop();
  push(make_known_object(type, arguments));
}

/// Replaces a set and the items added to it: a set holds no tensor.
void Unpickler::opaque_to_mark() {
  pop_to_mark();
  top_as<PickleOpaque>("a set");
}

/// Returns the parameters among the attributes of a module, or nullptr.
const PickleDict* parameters_in(const PickleValue& attributes) {
  const auto* dict = std::get_if<PickleDict>(&attributes.value);
  if (dict == nullptr) return nullptr;
  for (const auto& [key, value] : *dict)
    if (const auto* name = std::get_if<std::string>(&key->value); name != nullptr && *name == "_parameters")
      return std::get_if<PickleDict>(&value->value);
  return nullptr;
}

/// Sets the attributes of an object: a state_dict's _metadata (versions of modules), those of a numpy type, or those
/// of a ParameterDict, whose parameters become its items.
void Unpickler::build() {
  const auto* attributes = pop();
  auto& object = top()->value;
  if (std::holds_alternative<PickleOpaque>(object)) return;
  auto* dict = std::get_if<PickleDict>(&object);
  if (dict == nullptr) throw std::runtime_error("the pickle sets attributes of something that has none");
  const auto* parameters = parameters_in(*attributes);
  if (parameters == nullptr || !dict->empty()) return;
  constexpr std::size_t kMostParameters = 16;  // a copy: with more, short programs could fill the memory
  if (parameters->size() > kMostParameters)
    throw std::runtime_error("the pickle has a module of " + std::to_string(parameters->size()) + " parameters");
  *dict = *parameters;
}

/// Returns the class of ("module", class, file, source), as PyTorch before 1.6 stored module classes, or nullptr.
const PickleGlobal* module_class_of(const PickleValue& persistent_id) {
  const auto* id = std::get_if<PickleList>(&persistent_id.value);
  if (id == nullptr || id->size() != 4) return nullptr;
  const auto* kind = std::get_if<std::string>(&id->front()->value);
  return kind != nullptr && *kind == "module" ? std::get_if<PickleGlobal>(&(*id)[1]->value) : nullptr;
}

void Unpickler::load_persistent() {
  const auto* id = pop();
  if (const auto* module = module_class_of(*id); module != nullptr) return push({*module});
  push({storage_of(*id)});
}

using Step = void (*)(Unpickler& machine);

/// Returns the supported opcodes, indexed by their bytes.
std::array<Step, 256> make_steps() {
  std::array<Step, 256> steps{};
  const auto set = [&](unsigned char code, Step step) { steps[code] = step; };
  using U = Unpickler&;
  set(0x80, [](U u) { u.bytes().take(1); });  // PROTO
  set(0x95, [](U u) { u.bytes().take(8); });  // FRAME
  set('(', [](U u) { u.mark(); });
  set('N', [](U u) { u.push({PickleNone{}}); });
  set(0x88, [](U u) { u.push({true}); });
  set(0x89, [](U u) { u.push({false}); });
  set('K', [](U u) { u.push({std::int64_t{u.bytes().number<std::uint8_t>()}}); });
  set('M', [](U u) { u.push({std::int64_t{u.bytes().number<std::uint16_t>()}}); });
  set('J', [](U u) { u.push({std::int64_t{u.bytes().number<std::int32_t>()}}); });
  set(0x8a, [](U u) { u.push_long(u.bytes().take(u.bytes().number<std::uint8_t>())); });
  set('G', [](U u) { u.push_float(); });
  for (const unsigned char code : {'X', 'T', 'B'})  // BINUNICODE, BINSTRING, BINBYTES
    set(code, [](U u) { u.push_text(u.bytes().number<std::uint32_t>()); });
  for (const unsigned char code : {'\x8c', 'U', 'C'})  // the short ones
    set(code, [](U u) { u.push_text(u.bytes().number<std::uint8_t>()); });
  set('}', [](U u) { u.push({PickleDict{}}); });
  set(']', [](U u) { u.push({PickleList{}}); });
  set(')', [](U u) { u.push({PickleList{}}); });
  set('t', [](U u) { u.tuple_to_mark(); });
  set(0x85, [](U u) { u.tuple(1); });
  set(0x86, [](U u) { u.tuple(2); });
  set(0x87, [](U u) { u.tuple(3); });
  set('q', [](U u) { u.remember(u.bytes().number<std::uint8_t>()); });
  set('r', [](U u) { u.remember(u.bytes().number<std::uint32_t>()); });
  set(0x94, [](U u) { u.memoize(); });
  set('h', [](U u) { u.recall(u.bytes().number<std::uint8_t>()); });
  set('j', [](U u) { u.recall(u.bytes().number<std::uint32_t>()); });
  set('a', [](U u) { u.append(1); });
  set('e', [](U u) { u.append_to_mark(); });
  set('s', [](U u) { u.set_items(2); });
  set('u', [](U u) { u.set_items_to_mark(); });
  set('c', [](U u) {
    const auto module = std::string(u.bytes().line());
    u.push_global(module + "." + std::string(u.bytes().line()));
  });
  set(0x93, [](U u) { u.push_named_global(); });
  set('R', [](U u) { u.reduce(); });
  set(0x81, [](U u) { u.make_object(); });
  set('0', [](U u) { u.drop(); });
  for (const unsigned char code : {0x8d, 0x8e, 0x96})  // BINUNICODE8, BINBYTES8, BYTEARRAY8
    set(code, [](U u) { u.push_text(u.bytes().number<std::uint64_t>()); });
  set(0x8b, [](U u) { u.push_long(u.bytes().take(u.bytes().number<std::uint32_t>())); });
  set(0x8f, [](U u) { u.push({PickleOpaque{}}); });  // EMPTY_SET
  set(0x90, [](U u) { u.opaque_to_mark(); });        // ADDITEMS
  set(0x91, [](U u) {                                // FROZENSET
    u.tuple_to_mark();
    u.drop();
    u.push({PickleOpaque{}});
  });
  set('b', [](U u) { u.build(); });
  set('Q', [](U u) { u.load_persistent(); });
  return steps;
}

std::string opcode_name(std::uint8_t code) {
  constexpr const char* kDigits = "0123456789abcdef";
  return std::string("0x") + kDigits[code / 16] + kDigits[code % 16];
}

Pickle Unpickler::run() {
  static const auto steps = make_steps();
  constexpr std::uint8_t kStop = '.';
  for (auto code = bytes_.number<std::uint8_t>(); code != kStop; code = bytes_.number<std::uint8_t>()) {
    if (steps[code] == nullptr)
      throw std::runtime_error("the pickle's opcode " + opcode_name(code) + " is not one that weights need");
    steps[code](*this);
  }
  pickle_.root = pop();
  return std::move(pickle_);
}

}  // namespace

Pickle take_pickle(std::string_view& bytes) {
  Unpickler machine(bytes);
  auto pickle = machine.run();
  bytes = machine.rest();
  return pickle;
}

}  // namespace sfumato
