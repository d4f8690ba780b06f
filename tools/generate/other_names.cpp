#include "generate/other_names.h"

namespace sfumato {

const std::vector<OtherName>& other_names() {
  static const std::vector<OtherName> names = {
      {"--diffusion-model", "--model"},
      {"--ckpt", "--model"},
      {"--checkpoint", "--model"},
      {"--sampling-method", "--sampler"},
      {"--scheduler", "--sampler or --schedule"},
      {"--guidance-scale", "--cfg-scale"},
      {"--image-guidance-scale", "--image-guidance of img2img"},
      {"--img-cfg-scale", "--image-guidance of img2img"},
      {"--num-inference-steps", "--steps"},
      {"--sampling-steps", "--steps"},
      {"--num-images-per-prompt", "--batch-count"},
      {"--n-iter", "--batch-count"},
      {"--denoising-strength", "--strength of img2img and inpaint"},
      {"--strength", "--strength of img2img and inpaint"},
      {"-i", "--image of img2img and inpaint"},
      {"--image", "--image of img2img and inpaint"},
      {"--init-img", "--image of img2img and inpaint"},
      {"--init-image", "--image of img2img and inpaint"},
      {"--mask", "--mask of inpaint"},
      {"--mask-image", "--mask of inpaint"},
      {"--type", "--dtype"},
      {"--torch-dtype", "--dtype"},
      {"--precision", "--dtype"},
      {"--lora-model-dir", "--lora-dir"},
      {"--embd-dir", "--embedding"},
      {"--control-net", "--control"},
      {"--controlnet", "--control"},
      {"--control-strength", "--control-scale"},
      {"--canny", "--control-preprocess canny"},
      {"--variation-seed", "--subseed"},
      {"--variation-strength", "--subseed-strength"},
      {"--seamless", "--tiling"},
      {"--preview-interval", "--preview-every"},
      {"--wildcards-dir", "--wildcards"},
      {"--hr-scale", "--hires-scale"},
      {"--hr-upscaler", "--hires-upscaler"},
      {"-M", "a program of its own: txt2img, img2img, inpaint, convert"},
      {"--mode", "a program of its own: txt2img, img2img, inpaint, convert"},
      {"-t", "OMP_NUM_THREADS in the environment"},
      {"--threads", "OMP_NUM_THREADS in the environment"},
      {"-v", "--verbose"},
  };
  return names;
}

}  // namespace sfumato
