#pragma once

#include <string>
#include <vector>

#include "training/run_folder.h"

namespace sfumato {

/// A run's log as a drawing: the training loss over the steps, averaged in windows so that its course shows, and the
/// held-out metric (held_out_loss against the same axis, held_out_psnr against one of its own). An SVG of 720 x 360.
/// Throws std::runtime_error where the log is missing or tells of no loss.
std::string loss_curve_svg(const RunFolder& run);

/// The 1-2-5 numbers that divide [low, high] into about `count` parts.
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace sfumato
