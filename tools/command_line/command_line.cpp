#include "command_line/command_line.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <stdexcept>

#include "command_line/help.h"
#include "core/json.h"

namespace sfumato {
namespace {

/// Reads decimal numbers only: CLI11 would read 0512 as octal and an empty text as 0.
template <class Integer>
std::string whole_number(const std::string& option, const std::string& text) {
  Integer value = 0;
  const auto end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (stopped != end || text.empty() || error != std::errc())
    throw std::invalid_argument(option + " '" + text + "': expected a whole number" +
                                (error == std::errc::result_out_of_range ? " of fewer digits" : ""));
  return std::to_string(value);
}

std::string number(const std::string& option, const std::string& text) {
  double value = 0;
  const auto end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (stopped != end || text.empty() || error != std::errc())
    throw std::invalid_argument(option + " '" + text + "': expected a number");
  return text;
}

/// True for an option whose empty value has a meaning: a prompt without words.
bool may_be_empty(const std::string& option) {
  return option == "--prompt" || option == "--negative-prompt" || option == "--edit-prompt";
}

std::string text_that_is_there(const std::string& option, const std::string& text) {
  if (text.empty()) throw std::invalid_argument(option + " '': expected a value");
  return text;
}

/// Adds to each option a check of its values. CLI11 stores only the name of an option's type.
void check_values(CLI::App& app) {
  for (auto* option : app.get_options()) {
    const auto type = option->get_type_name();
    const auto expect = [&](auto read) {
      option->transform([read, name = option->get_name()](const std::string& text) { return read(name, text); });
    };
    if (type.starts_with("INT")) expect(whole_number<std::int64_t>);
    if (type.starts_with("UINT")) expect(whole_number<std::uint64_t>);
    if (type.starts_with("FLOAT")) expect(number);
    if (type.starts_with("TEXT") && !may_be_empty(option->get_name())) expect(text_that_is_there);
  }
}

/// Refuses a repeated option that takes no list, because the intended value is ambiguous. Leaves `--help` unchanged.
void expect_each_option_once(CLI::App& app) {
  for (auto* option : app.get_options())
    if (option != app.get_help_ptr() && option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeLast)
      option->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

/// Returns the nearest of `known`, or the first that begins with `name`.
std::string closest(const std::string& name, const std::vector<std::string>& known) {
  if (const auto close = nearest(name, known); !close.empty()) return close;
  const auto begins = [&](const std::string& own) { return name.starts_with("--") && own.starts_with(name); };
  const auto longer = std::find_if(known.begin(), known.end(), begins);
  return longer == known.end() ? "" : *longer;
}

std::string suggestion(const CLI::App& app, std::string name, const std::vector<OtherName>& others) {
  std::replace(name.begin(), name.end(), '_', '-');
  for (const auto& other : others)
    if (other.name == name) return ": here it is " + other.here;
  std::vector<std::string> known;
  for (const auto* option : app.get_options())
    for (const auto& own : option->get_lnames()) known.push_back("--" + own);
  const auto close = closest(name, known);
  return close.empty() ? "; see --help" : "; did you mean '" + close + "'?";
}

/// Reports an unknown option before its value, which is left over too or was read as another argument.
void refuse_what_is_left_over(const CLI::App& app, const std::vector<OtherName>& others) {
  const auto words = app.remaining();
  if (words.empty()) return;
  const auto is_option = [](const std::string& word) { return word.size() > 1 && word[0] == '-' && word != "--"; };
  const auto option = std::find_if(words.begin(), words.end(), is_option);
  if (option == words.end())
    throw std::invalid_argument("'" + words.front() + "' is one argument too many: words that belong together need " +
                                "quotes around them");
  const auto name = option->substr(0, option->find('='));
  throw std::invalid_argument("unknown option '" + name + "'" + suggestion(app, name, others));
}

/// Rewrites CLI11's "--out: 1 required TEXT missing" in the wording of `train`.
std::string in_plain_words(const CLI::ParseError& error) {
  const std::string message = error.what();
  const auto required = message.find(": 1 required ");
  if (required != std::string::npos) return message.substr(0, required) + " needs a value";
  return message.substr(0, message.find('\n'));
}

/// Throws with the name of an option that was given more than once, if there is one.
void refuse_repeated(const CLI::App& app) {
  for (const auto* option : app.get_options())
    if (option->count() > 1 && option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw)
      throw std::invalid_argument(option->get_name() + " is given " + std::to_string(option->count()) +
                                  " times: expected once");
}

}  // namespace

bool parse_command_line(CLI::App& app, int argc, char** argv, const std::vector<OtherName>& others) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.allow_extras();  // so that our own message names them
  check_values(app);
  expect_each_option_once(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help() << std::flush;
    return false;
  } catch (const CLI::RequiredError& error) {
    refuse_what_is_left_over(app, others);
    throw std::invalid_argument(in_plain_words(error) + "; see --help");
  } catch (const CLI::ArgumentMismatch& error) {
    refuse_repeated(app);
    throw std::invalid_argument(in_plain_words(error));
  } catch (const CLI::ParseError& error) {
    throw std::invalid_argument(in_plain_words(error));
  }
  refuse_what_is_left_over(app, others);
  return true;
}

}  // namespace sfumato
