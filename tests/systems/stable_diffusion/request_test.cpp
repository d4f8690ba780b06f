#include "systems/stable_diffusion/request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sfumato {
namespace {

Request sample() {
  return {.prompt = "a caf\u00e9 \u732b",
          .negative_prompt = "dogs",
          .prompt_syntax = "plain",
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
          .strength = 0.6,
          .inpaint = {.mask = "m.png",
                      .mask_blur = 2.5,
                      .invert_mask = true,
                      .only_masked = true,
                      .mask_padding = 7,
                      .paste = false},
          .controls = {{.model = "canny", .image = "b.png", .preprocess = "canny", .scale = 0.8, .end = 0.5},
                       {.model = "depth.safetensors", .image = "c.png", .start = 0.25}},
          .control_guess = true,
          .refiner = {.model = "refiner", .switch_at = 0.6},
          .hires = {.width = 96, .height = 128, .steps = 9, .strength = 0.4, .upscaler = "lanczos"}};
}

/// Returns the error of validate for the sample after `change`; "" if there is none.
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
  EXPECT_EQ(complaint([](Request& request) { request.strength = 1.5; }), "strength 1.5: expected 0 to 1");
  EXPECT_NE(complaint([](Request& request) { request.strength = std::nan(""); }), "");
  EXPECT_NE(complaint([](Request& request) { request.width = 65; }).find("width 65"), std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.height = -8; }).find("height -8"), std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.batch_count = 0; }), "");
  EXPECT_NE(complaint([](Request& request) { request.eta = -0.1; }), "");
  EXPECT_EQ(complaint([](Request& request) { request.prompt_syntax = "poetry"; }),
            "prompt syntax 'poetry': expected a1111 or plain");
  EXPECT_NE(complaint([](Request& request) { request.sampler = "magic"; }).find("magic"), std::string::npos);
}

TEST(Request, AControlThatIsOutOfRangeIsRefusedWithItsValue) {
  const auto of_unit = [](const std::function<void(ControlUnit&)>& change) {
    return complaint([&](Request& request) { change(request.controls[1]); });
  };
  EXPECT_EQ(of_unit([](ControlUnit& unit) { unit.scale = 10.5; }), "control scale 10.5: expected 0 to 10");
  EXPECT_EQ(of_unit([](ControlUnit& unit) { unit.start = -0.5; }), "control start -0.5: expected 0 to 1");
  EXPECT_EQ(of_unit([](ControlUnit& unit) { unit.end = 0.25; }),
            "control start 0.25: expected less than its end, 0.25");
  EXPECT_EQ(of_unit([](ControlUnit& unit) { unit.preprocess = "depth"; }),
            "control preprocess 'depth': expected canny, or none");
  EXPECT_NE(of_unit([](ControlUnit& unit) { unit.image = ""; }), "");
  EXPECT_NE(of_unit([](ControlUnit& unit) { unit.model = ""; }), "");
}

TEST(Request, ControlsAreAListOfKnownKeys) {
  EXPECT_EQ(request_from_json(Json::parse(R"({"controls": [{"model": "m", "image": "i"}]})")).controls,
            (std::vector<ControlUnit>{{.model = "m", .image = "i"}}));
  for (const auto* text : {R"({"controls": {}})", R"({"controls": [{"weight": 1}]})", R"({"controls": ["a"]})"})
    EXPECT_THROW(request_from_json(Json::parse(text)), std::invalid_argument) << text;
}

TEST(Request, MasksAndSecondPassesAreCheckedToo) {
  EXPECT_NE(complaint([](Request& request) { request.inpaint.mask_blur = -1; }).find("mask blur -1"),
            std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.inpaint.mask_padding = -2; }).find("mask padding -2"),
            std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.hires.upscaler = "magic"; }).find("magic"), std::string::npos);
  EXPECT_NE(complaint([](Request& request) { request.hires.scale = 2; }).find("not both"), std::string::npos);
  // 9 steps of 1000 reach at most 9 / 1000.
  EXPECT_NE(complaint([](Request& request) { request.hires.strength = 0.008; }).find("0.009"), std::string::npos);
  EXPECT_EQ(complaint([](Request& request) { request.hires.strength = 0.009; }), "");
  EXPECT_THROW(request_from_json(Json::parse(R"({"inpaint": {"msk": "m.png"}})")), std::invalid_argument);
  EXPECT_THROW(request_from_json(Json::parse(R"({"hires": {"steps": 2.5}})")), std::invalid_argument);
}

TEST(Request, ARefinerTakesOverOnTheWay) {
  const auto at = [](double part) { return complaint([=](Request& request) { request.refiner.switch_at = part; }); };
  EXPECT_EQ(at(0.001), "");
  EXPECT_EQ(at(0.999), "");
  EXPECT_EQ(at(0), "refiner switch at 0: expected a number above 0 and below 1");
  EXPECT_NE(at(1), "");
  EXPECT_NE(at(std::nan("")), "");
  EXPECT_THROW(request_from_json(Json::parse(R"({"refiner": {"at": 0.5}})")), std::invalid_argument);
  EXPECT_FALSE(to_json(Request()).contains("refiner"));
}

TEST(Request, KindsOfGuidanceComeBackFromJsonAndAreLeftOutWhereTheyAreUsual) {
  auto request = sample();
  EXPECT_FALSE(to_json(request).contains("pag_scale"));
  EXPECT_FALSE(to_json(request).contains("rng"));
  EXPECT_FALSE(to_json(request).contains("noise"));
  request.guidance = "cfg++";
  request.guidance_start = 0.1;
  request.guidance_end = 0.9;
  request.pag_scale = 3;
  request.pag_adaptive_scale = 0.01;
  request.pag_layers = "mid,down_blocks.1";
  request.sag_scale = 0.75;
  request.dynamic_threshold = 0.99;
  request.dynamic_threshold_max = 4;
  request.rng = "cuda";
  request.noise = "brownian";
  EXPECT_EQ(request_from_json(Json::parse(to_json(request).dump())), request);
}

TEST(Request, KindsOfGuidanceOutOfRangeAreRefusedWithTheirValue) {
  EXPECT_EQ(complaint([](Request& request) { request.guidance_start = -0.1; }), "guidance start -0.1: expected 0 to 1");
  EXPECT_EQ(complaint([](Request& request) { request.guidance_end = 1.5; }), "guidance end 1.5: expected 0 to 1");
  EXPECT_NE(complaint([](Request& request) { request.pag_scale = std::nan(""); }), "");
  EXPECT_NE(complaint([](Request& request) { request.pag_adaptive_scale = -1; }), "");
  EXPECT_NE(complaint([](Request& request) { request.pag_layers = ""; }), "");
  EXPECT_EQ(complaint([](Request& request) { request.sag_scale = -1; }), "sag scale -1: expected 0 to 1000");
  EXPECT_EQ(complaint([](Request& request) {
              request.sag_scale = 0.5;
              request.control_guess = true;
            }),
            "sag scale 0.5: expected 0 with control guess");
  EXPECT_EQ(complaint([](Request& request) { request.dynamic_threshold = 2; }), "dynamic threshold 2: expected 0 to 1");
  EXPECT_EQ(complaint([](Request& request) { request.dynamic_threshold_max = 0.5; }),
            "dynamic threshold max 0.5: expected 1 to 1000");
  EXPECT_EQ(complaint([](Request& request) { request.guidance = "none"; }), "guidance 'none': expected cfg or cfg++");
  EXPECT_EQ(complaint([](Request& request) { request.rng = "gpu"; }), "rng 'gpu': expected cpu or cuda");
}

TEST(Request, NoiseOfABrownianMotionIsForTheSamplersThatTakeIt) {
  const auto with = [](const std::string& noise, const std::string& sampler) {
    return complaint([&](Request& request) {
      request.noise = noise;
      request.sampler = sampler;
    });
  };
  for (const auto* sampler : {"dpm++sde", "dpm++2m_sde", "dpm++3m_sde", ""})
    for (const auto* noise : {"generator", "brownian", ""}) EXPECT_EQ(with(noise, sampler), "");
  EXPECT_EQ(with("generator", "euler_a"), "");
  EXPECT_EQ(with("brownian", "euler_a"),
            "noise 'brownian': expected generator with the sampler euler_a (dpm++sde, dpm++2m_sde and dpm++3m_sde take "
            "brownian)");
  EXPECT_EQ(with("white", ""), "noise 'white': expected generator or brownian");
}

TEST(Request, AMultistepStartAsInDiffusersIsForTheSamplersThatHaveOne) {
  const auto with = [](const std::string& start, const std::string& sampler) {
    return complaint([&](Request& request) {
      request.multistep_start = start;
      request.sampler = sampler;
    });
  };
  for (const auto* sampler : {"pndm", "lms", ""})
    for (const auto* start : {"fresh", "diffusers"}) EXPECT_EQ(with(start, sampler), "");
  EXPECT_EQ(with("diffusers", "euler"),
            "multistep start 'diffusers': expected fresh with the sampler euler (pndm and lms take both)");
  EXPECT_EQ(with("late", ""), "multistep start 'late': expected fresh or diffusers");
  auto request = sample();
  EXPECT_FALSE(to_json(request).contains("multistep_start"));
  request.multistep_start = "diffusers";
  EXPECT_EQ(request_from_json(Json::parse(to_json(request).dump())), request);
}

TEST(Request, CfgPlusPlusHasItsOwnScaleAndSamplers) {
  const auto with = [](double scale, const std::string& sampler, double pag_scale = 0) {
    return complaint([&](Request& request) {
      request.guidance = "cfg++";
      request.guidance_scale = scale;
      request.sampler = sampler;
      request.pag_scale = pag_scale;
    });
  };
  for (const auto* sampler : {"ddim", "euler", "euler_a", ""}) EXPECT_EQ(with(0.6, sampler), "");
  EXPECT_EQ(with(7.5, "ddim"), "guidance scale 7.5: expected 0 to 1 with cfg++");
  EXPECT_NE(with(0.6, "dpm++2m").find("expected cfg with the sampler dpm++2m"), std::string::npos);
  EXPECT_NE(with(0.6, "ddim", 3), "");
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
