#include "pipelines/request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sfumato {
namespace {

Request sample() {
  return {.prompt = "a caf\u00e9 \u732b",
          .negative_prompt = "dogs",
          .width = 64,
          .height = 72,
          .steps = 30,
          .guidance_scale = 3.25,
          .guidance_rescale = 0.7,
          .sampler = "ddpm",
          .eta = 0.5,
          .seed = std::numeric_limits<std::uint64_t>::max(),
          .batch_count = 3,
          .image = "a.png",
          .strength = 0.6};
}

/// What validate throws of the sample after `change`; "" where nothing.
std::string complaint(const std::function<void(Request&)>& change) {
  auto request = sample();
  change(request);
  try {
    validate(request, {});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Request, ComesBackFromJsonAsItWas) {
  EXPECT_EQ(request_from_json(Json::parse(to_json(sample()).dump())), sample());
}

TEST(Request, MissingKeysKeepTheirDefaults) {
  EXPECT_EQ(request_from_json(Json::parse(R"({"prompt": "a cat"})")), Request{.prompt = "a cat"});
}

TEST(Request, AnUnknownKeyIsRefusedWithTheNearest) {
  try {
    request_from_json(Json::parse(R"({"promt": "a cat"})"));
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'prompt'"), std::string::npos) << error.what();
  }
}

TEST(Request, NumbersAreWholeWhereTheyMustBe) {
  for (const auto* text : {R"({"steps": 2.5})", R"({"seed": -1})", R"({"width": "64"})", R"({"prompt": 1})"})
    EXPECT_THROW(request_from_json(Json::parse(text)), std::invalid_argument) << text;
}

TEST(Request, AGoodOneIsNotRefused) {
  EXPECT_EQ(complaint([](Request&) {}), "");
  EXPECT_EQ(complaint([](Request& request) { request.steps = 1000; }), "");
  EXPECT_EQ(complaint([](Request& request) { request.strength = 0; }), "");
  EXPECT_EQ(complaint([](Request& request) { request.width = request.height = 0; }), "");
}

TEST(Request, WhatIsOutOfRangeIsRefusedWithItsValue) {
  EXPECT_EQ(complaint([](Request& request) { request.steps = 0; }), "steps 0: expected 1 to 1000");
  EXPECT_EQ(complaint([](Request& request) { request.steps = 100000; }), "steps 100000: expected 1 to 1000");
  EXPECT_EQ(complaint([](Request& request) { request.strength = 1.5; }), "strength 1.5: expected 0 to 1.0");
  EXPECT_NE(complaint([](Request& request) { request.strength = std::nan(""); }), "");
  EXPECT_NE(complaint([](Request& request) { request.width = 65; }).find("width 65"), std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.height = -8; }).find("height -8"), std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.batch_count = 0; }), "");
  EXPECT_NE(complaint([](Request& request) { request.eta = -0.1; }), "");
  EXPECT_NE(complaint([](Request& request) { request.sampler = "magic"; }).find("magic"), std::string::npos);
}

TEST(Request, AScheduleMustBeKnownAndFitItsSampler) {
  EXPECT_NE(complaint([](Request& request) { request.schedule = "magic"; }).find("'magic'"), std::string::npos);
  const auto of_sampler = [](const std::string& sampler) {
    return complaint([&](Request& request) {
      request.sampler = sampler;
      request.schedule = "beta";
    });
  };
  EXPECT_EQ(of_sampler("dpm2_a"), "");
  EXPECT_EQ(of_sampler("lcm"), "schedule 'beta': expected discrete with the sampler lcm");
}

TEST(Request, ATextThatIsNotUtf8IsRefused) {
  EXPECT_NE(complaint([](Request& request) { request.prompt = "caf\xe9"; }).find("prompt"), std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.negative_prompt = std::string("a\0b", 3); }), "");
}

TEST(Seed, AnyWholeNumberOf64BitsAndNothingElse) {
  EXPECT_EQ(parse_seed("0"), 0U);
  EXPECT_EQ(parse_seed("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  for (const auto* text : {"", "abc", "-1", "1.5", "1 ", "0x1", "18446744073709551616"})
    EXPECT_THROW(parse_seed(text), std::invalid_argument) << text;
}

}  // namespace
}  // namespace sfumato
