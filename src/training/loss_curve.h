#pragma once

#include <string>
#include <vector>

#include "training/run_folder.h"

namespace sfumato {

/// Plots a run's log: the training loss over the steps, averaged in windows so that the trend is visible, and the
/// held-out metric (held_out_loss on the same axis, held_out_psnr on its own axis). Returns an SVG of 720 x 360.
/// Throws std::runtime_error if the log is missing or contains no loss.
std::string loss_curve_svg(const RunFolder& run);

/// Returns the 1-2-5 numbers that divide [low, high] into about `count` parts.
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace sfumato
