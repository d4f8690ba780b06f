#include "core/json.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "core/json_text.h"

namespace sfumato {
namespace {

/// Message that value_or throws for {"key": VALUE}, or the value itself as JSON.
template <class T>
std::string read_as(const std::string& value) {
  try {
    return Json(value_or<T>(Json::parse("{\"key\": " + value + "}"), "key", T{})).dump();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

TEST(ValueOr, TakesTheFallbackForAMissingKeyAndForNull) {
  EXPECT_EQ(value_or(Json::parse("{}"), "key", 7), 7);
  EXPECT_EQ(value_or(Json::parse(R"({"key": null})"), "key", 7), 7);
  EXPECT_EQ(value_or(Json::parse(R"({"key": 3})"), "key", 7), 3);
}

TEST(ValueOr, ReadsNumbersThatFit) {
  EXPECT_EQ(read_as<int>("2.0"), "2");
  EXPECT_EQ(read_as<double>("2"), "2.0");
  EXPECT_EQ(read_as<std::int64_t>("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(read_as<std::uint64_t>("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(read_as<std::vector<int>>("[1, 2]"), "[1,2]");
  EXPECT_EQ(value_or<std::int64_t>(Json{{"key", 5}}, "key", 0), 5) << "a document made in C++";
}

TEST(ValueOr, NeitherRoundsNorWrapsNorTakesOneTypeForAnother) {
  EXPECT_EQ(read_as<int>("3.7"), "'key' is 3.7: expected an integer");
  EXPECT_EQ(read_as<int>("true"), "'key' is true: expected an integer");
  EXPECT_EQ(read_as<int>("\"3\""), "'key' is \"3\": expected an integer");
  EXPECT_EQ(read_as<int>("1e300"), "'key' is 1e+300: expected an integer");
  EXPECT_EQ(read_as<int>("1099511627776"),
            "'key' is 1099511627776: expected an integer between -2147483648 and 2147483647");
  EXPECT_EQ(read_as<std::uint64_t>("-1"), "'key' is -1: expected an integer between 0 and 18446744073709551615");
  EXPECT_EQ(read_as<std::int64_t>("18446744073709551615"),
            "'key' is 18446744073709551615: expected an integer between -9223372036854775808 and 9223372036854775807");
  EXPECT_EQ(read_as<double>("false"), "'key' is false: expected a number");
  EXPECT_EQ(read_as<std::vector<int>>("[1, 2.5]"), "'key' is [1,2.5]: expected an integer");
  EXPECT_EQ(read_as<std::vector<int>>("3"), "'key' is 3: expected a list");
}

TEST(ValueOr, NamesKeyAndValueOfTheWrongType) {
  EXPECT_EQ(read_as<bool>("1"), "'key' is 1: expected true or false");
  EXPECT_EQ(read_as<std::string>("[1]"), "'key' is [1]: expected a string");
  EXPECT_EQ(read_as<std::vector<std::string>>("[\"a\", 1]"), "'key' is [\"a\",1]: expected a string");
  EXPECT_LT(read_as<bool>("\"" + std::string(1000, 'x') + "\"").size(), 250U);
}

TEST(Nearest, SuggestsWhatIsALetterAway) {
  const std::vector<std::string> known{"learning_rate", "steps", "batch_size"};
  EXPECT_EQ(nearest("lerning_rate", known), "learning_rate");
  EXPECT_EQ(nearest("step", known), "steps");
  EXPECT_EQ(nearest("colour", known), "");
  EXPECT_EQ(nearest("", known), "");
}

TEST(RefuseUnknownKeys, NamesTheKeyWhereItStandsAndTheNearest) {
  const auto message = [](const char* json) -> std::string {
    try {
      refuse_unknown_keys(Json::parse(json), {"steps", "seed"}, "recipe.json: optimizer");
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message(R"({"steps": 1, "seed": 2})"), "");
  EXPECT_EQ(message(R"({"stepz": 1})"), "recipe.json: optimizer: unknown key 'stepz'; did you mean 'steps'?");
  EXPECT_EQ(message(R"({"momentum": 1})"), "recipe.json: optimizer: unknown key 'momentum'");
  EXPECT_EQ(message("[1]"), "recipe.json: optimizer: expected an object, got [1]");
}

TEST(ReadJson, ReadsWhatWriteJsonWrote) {
  const auto path = std::filesystem::path(testing::TempDir()) / "sfumato_json_test.json";
  write_json(path, {{"b", 1}, {"a", {1, 2}}});
  EXPECT_EQ(read_file(path), "{\n  \"b\": 1,\n  \"a\": [\n    1,\n    2\n  ]\n}\n") << "in the order given";
  EXPECT_EQ(read_json(path)["a"][1], 2);
}

TEST(ValueAt, RequiresTheKey) {
  EXPECT_EQ(value_at<int>(Json{{"key", 3}}, "key"), 3);
  for (const auto* text : {"{}", R"({"key": null})"}) {
    try {
      value_at<int>(Json::parse(text), "key");
      FAIL() << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_STREQ(error.what(), "'key' is missing");
    }
  }
}

TEST(ReadJson, NamesThePathOfABrokenFile) {
  const auto path = std::filesystem::path(testing::TempDir()) / "sfumato_broken_test.json";
  write_file_atomically(path, [](std::ostream& out) { out << "{\"a\": " << std::string(5000, 'x'); });
  try {
    read_json(path);
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find("'" + path.string() + "' is not valid JSON: line 1, column "), 0U) << message;
    EXPECT_LT(message.size(), path.string().size() + 300);
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(ReadJson, TakesWhatPythonWritesForInfinities) {
  const auto path = std::filesystem::path(testing::TempDir()) / "infinite.json";
  write_file_atomically(path, [](std::ostream& out) {
    out << R"({"low": -Infinity, "list": [Infinity, NaN, -1], "text": "-Infinity \"NaN\" \\"})";
  });
  const auto json = read_json(path);
  EXPECT_EQ(value_or(json, "low", 5.0), 5.0);
  EXPECT_EQ(json.at("list").dump(), "[null,null,-1]");
  EXPECT_EQ(json.at("text"), R"(-Infinity "NaN" \)");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace sfumato
