// Arithmetic: on sizes, on masks, and what LayerNorm and GELU are made of.
#include <cfloat>
#include <cmath>
#include <numbers>

#include "model/graph/evaluator.hpp"

namespace gteway::graph {
namespace {

constexpr double kTanhCubic =
    0.044715;  // of GELU's approximation: https://arxiv.org/abs/1606.08415, section 2
// The arithmetic on two constants may be off by both their roundings.
constexpr double kLooser = 2;

}  // namespace

TermId Evaluator::integer_arithmetic(char sign) {
  const TermId a = input(0), b = input(1);
  const std::vector<int64_t>&x = integers_of(a), &y = integers_of(b);
  if (terms_[a].element != Element::kInteger || terms_[b].element != Element::kInteger)
    refuse("it calculates with booleans");
  const std::vector<Dim> shape = broadcast(terms_[a].shape, terms_[b].shape);
  const size_t count = shape.empty() ? 1 : static_cast<size_t>(shape[0]);
  std::vector<int64_t> result(count);
  for (size_t i = 0; i < count; ++i) {
    const int64_t p = x[x.size() == 1 ? 0 : i], q = y[y.size() == 1 ? 0 : i];
    const int64_t neutral = sign == '+' || sign == '-' ? 0 : 1;
    if (q == neutral) {
      result[i] = p;
    } else if (p == neutral && (sign == '+' || sign == '*')) {
      result[i] = q;
    } else {
      constexpr int64_t kMost = int64_t{1} << 30;
      if (is_symbol(p) || is_symbol(q) || p < -kMost || p > kMost || q < -kMost || q > kMost)
        refuse("it calculates with sizes of the request");
      if (sign == '/' && (q <= 0 || p < 0)) refuse("it divides by what is not positive");
      result[i] = sign == '+' ? p + q : sign == '-' ? p - q : sign == '*' ? p * q : p / q;
    }
  }
  return make(Kind::kIntegers, Element::kInteger, {}, shape, std::move(result));
}

TermId Evaluator::add() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  if (const std::optional<TermId> places = add_places(a, b)) return *places;
  if (is(a, Kind::kIntegers) || is(b, Kind::kIntegers)) return integer_arithmetic('+');
  if (is_number(b)) return add_number(a, b);
  if (is_number(a)) return add_number(b, a);
  if (is(b, Kind::kTensor)) return add_tensor(a, b);
  if (is(a, Kind::kTensor)) return add_tensor(b, a);
  if (terms_[a].element != Element::kReal || terms_[b].element != Element::kReal)
    refuse("it adds what is no real number");

  // x + 0.044715 x³
  for (const auto& [x, other] : {std::pair{a, b}, std::pair{b, a}}) {
    const Scaled cube = unscale(other);
    if (is(cube.base, Kind::kCube) && terms_[cube.base].operands[0] == x &&
        near(cube.factor, kTanhCubic, kLooser * cube.tolerance))
      return elementwise(Kind::kTanhPolynomial, x);
  }
  if (const std::optional<TermId> turned = add_turned(a, b)) return *turned;
  const auto check_scale = [&](const Scaled& scores) {
    const Term& term = terms_[scores.base];
    const double expected = 1 / std::sqrt(static_cast<double>(term.integers[1]));
    if (!near(scores.factor, expected, kLooser * scores.tolerance))
      refuse("attention is scaled by " + std::to_string(scores.factor) + ", not by " +
             std::to_string(expected) + " (1 / √" + std::to_string(term.integers[1]) + ")");
  };
  // Scores and a bias for each distance
  for (const auto& [scores, bias] : {std::pair{unscale(a), b}, std::pair{unscale(b), a}}) {
    if (!is(scores.base, Kind::kScores) || !is(bias, Kind::kBias)) continue;
    check_scale(scores);
    const Term& term = terms_[scores.base];
    // [batch or 1, heads, queries, keys]
    if (terms_[bias].integers != std::vector<int64_t>{-1, 2, 0, 1} ||
        terms_[bias].shape[1] != term.integers[0])
      refuse("its bias is not one for each head and distance");
    if (term.operands.size() != 2) refuse("it adds a bias to scores of turned heads");
    broadcast(term.shape, terms_[bias].shape);
    return make(Kind::kBiasedScores, Element::kReal,
                {term.operands[0], term.operands[1], terms_[bias].operands[0]}, term.shape, term.integers);
  }
  // Scores and the padding's lowest number
  for (const auto& [scores, padding] :
       {std::pair{unscale(a), unscale(b)}, std::pair{unscale(b), unscale(a)}}) {
    const bool is_biased = is(scores.base, Kind::kBiasedScores) && scores.factor == 1;
    if (!is_biased && !is(scores.base, Kind::kScores)) continue;
    if (!is(padding.base, Kind::kPadding) && !is(padding.base, Kind::kFarPadding)) continue;
    const Term& term = terms_[scores.base];
    if (!is_biased) check_scale(scores);
    if (terms_[padding.base].integers != std::vector<int64_t>{0, -1, -1, 1})
      refuse("the mask does not hide the keys that are padding");
    // Its weight is then e^-9000 or less, which is 0 in every precision.
    if (!(padding.factor <= -9999))
      refuse("the mask lowers padding by no more than " + std::to_string(padding.factor));
    broadcast(term.shape, terms_[padding.base].shape);
    const Term& mask = terms_[padding.base];
    const int64_t reach = mask.kind == Kind::kFarPadding ? static_cast<int64_t>(mask.number) : -1;
    const int64_t form = is_biased ? 2 : term.operands.size() == 3 ? 1 : 0;
    return make(Kind::kMaskedScores, Element::kReal, term.operands, term.shape,
                {term.integers[0], term.integers[1], reach, form});
  }
  const auto is_layer = [&](TermId id) { return is(id, Kind::kLinear) || is(id, Kind::kProduct); };
  const auto is_summand = [&](TermId id) {
    return is(id, Kind::kLookup) || is(id, Kind::kSum) || is_layer(id) || is(id, Kind::kNorm) ||
           is(id, Kind::kResidual);
  };
  if (!is_summand(a) || !is_summand(b)) refuse("it adds what an encoder does not add");
  // Where norms come before their blocks, what they add to grows by one layer after the other.
  for (const auto& [x, layer] : {std::pair{a, b}, std::pair{b, a}})
    if (is_layer(layer) && (is(x, Kind::kSum) || is(x, Kind::kResidual)))
      return make(Kind::kResidual, Element::kReal, {x, layer}, broadcast(terms_[a].shape, terms_[b].shape));
  if (is(a, Kind::kResidual) || is(b, Kind::kResidual)) refuse("it adds what an encoder does not add");
  // Words, positions, token types: nothing adds more, and readers of a sum need not fear its depth.
  const auto count = [&](TermId id) { return is(id, Kind::kSum) ? terms_[id].integers[0] : 1; };
  if (count(a) + count(b) > 3) refuse("it adds more than three embeddings");
  return make(Kind::kSum, Element::kReal, {std::min(a, b), std::max(a, b)},
              broadcast(terms_[a].shape, terms_[b].shape), {count(a) + count(b)});
}

TermId Evaluator::add_number(TermId x, TermId number) {
  const Term& c = number_beside(number, x);
  if (is_number(x)) {
    const Term& other = terms_[x];
    return make(Kind::kNumber, Element::kReal, {}, broadcast(other.shape, c.shape), {},
                other.number + c.number, std::max(other.tolerance, c.tolerance));
  }
  const Scaled whole = unscale(x);
  const bool is_one = near(c.number, 1, c.tolerance);
  switch (terms_[whole.base].kind) {
    case Kind::kVariance:
      if (whole.factor == 1) return elementwise(Kind::kVarianceEps, terms_[x].operands[0], c.number);
      break;
    case Kind::kErf:
      if (whole.factor == 1 && is_one) return elementwise(Kind::kOnePlusErf, terms_[x].operands[0]);
      break;
    case Kind::kTanh:
      if (whole.factor == 1 && is_one) return elementwise(Kind::kOnePlusTanh, terms_[x].operands[0]);
      break;
    case Kind::kSquare:
      if (is_one && near(whole.factor, kTanhCubic, kLooser * whole.tolerance))
        return elementwise(Kind::kOnePlusSquare, terms_[whole.base].operands[0]);
      break;
    default:
      break;
  }
  refuse("it adds " + std::to_string(c.number) + " where an encoder adds nothing");
}

TermId Evaluator::add_tensor(TermId x, TermId tensor) {
  const Term& bias = terms_[tensor];
  const Term& term = terms_[x];
  if (bias.shape.size() != 1 || term.shape.empty() || bias.shape[0] != term.shape.back() ||
      bias.integers[0] != 0)
    refuse("what it adds is not one value per column");
  if (term.kind == Kind::kProduct)
    return make(Kind::kLinear, Element::kReal, {term.operands[0], term.operands[1], tensor}, term.shape);
  if (term.kind == Kind::kUnitGamma)
    return make(Kind::kNorm, Element::kReal, {term.operands[0], term.operands[1], tensor}, term.shape, {},
                term.number);
  refuse("it adds a tensor of the model where an encoder adds none");
}

TermId Evaluator::subtract() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  if (is(a, Kind::kIntegers) && is(b, Kind::kIntegers)) return integer_arithmetic('-');
  if (steps_of(a) && steps_of(b)) return add_coordinates(a, b, true);
  if (is(b, Kind::kMean) && terms_[b].operands[0] == a) return elementwise(Kind::kCentred, a);
  const Term& mask = terms_[b];
  const bool from_one = (is_number(a) && number_beside(a, b).number == 1 && mask.element == Element::kReal) ||
                        (is(a, Kind::kIntegers) && terms_[a].integers == std::vector<int64_t>{1} &&
                         terms_[a].shape.size() <= mask.shape.size() && mask.element == Element::kInteger);
  if (from_one && mask.kind == Kind::kMask)
    return make(Kind::kPadding, mask.element, {}, mask.shape, mask.integers);
  refuse("it subtracts what an encoder does not subtract");
}

TermId Evaluator::multiply() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  if (const std::optional<TermId> places = multiply_places(a, b)) return *places;
  if (is(a, Kind::kIntegers) || is(b, Kind::kIntegers)) return integer_arithmetic('*');
  for (const auto& [x, number] : {std::pair{a, b}, std::pair{b, a}}) {
    if (!is_number(number)) continue;
    const Term& c = number_beside(number, x);
    if (!is_number(x)) return scale(x, c.number, c.tolerance);
    const Term& other = terms_[x];
    return make(Kind::kNumber, Element::kReal, {}, broadcast(other.shape, c.shape), {},
                other.number * c.number, std::max(other.tolerance, c.tolerance));
  }
  return multiply_terms(a, b);
}

TermId Evaluator::multiply_terms(TermId a, TermId b) {
  if (terms_[a].element != Element::kReal || terms_[b].element != Element::kReal)
    refuse("it multiplies what is no real number");
  for (const auto& [unit, gamma] : {std::pair{a, b}, std::pair{b, a}}) {
    if (!is(unit, Kind::kUnit) || !is(gamma, Kind::kTensor)) continue;
    const Term& term = terms_[unit];
    if (terms_[gamma].shape.size() != 1 || terms_[gamma].shape[0] != term.shape.back())
      refuse("gamma is not one value per column");
    return make(Kind::kUnitGamma, Element::kReal, {term.operands[0], gamma}, term.shape, {}, term.number);
  }
  if (const std::optional<TermId> turned = multiply_turned(a, b)) return *turned;
  // Rows of tokens that are real
  for (const auto& [x, mask] : {std::pair{a, b}, std::pair{b, a}})
    if (is(x, Kind::kNorm) && is(mask, Kind::kMask) && terms_[x].shape.size() == 3 &&
        (terms_[mask].integers == std::vector<int64_t>{0, 1, -1}))
      return make(Kind::kReal, Element::kReal, {x}, terms_[x].shape);
  if (terms_[a].shape != terms_[b].shape) refuse("it multiplies what an encoder does not multiply");
  for (const auto& [active, up] : {std::pair{a, b}, std::pair{b, a}})
    if ((is(active, Kind::kGeluErf) || is(active, Kind::kGeluTanh)) &&
        (is(up, Kind::kColumns) || is(up, Kind::kLinear) || is(up, Kind::kProduct)) &&
        terms_[active].operands[0] != up)
      return make(Kind::kGated, Element::kReal, {active, up}, terms_[a].shape);
  const Scaled first = unscale(a), second = unscale(b);
  const double factor = first.factor * second.factor;
  const double tolerance = std::max(first.tolerance, second.tolerance);
  const auto scaled = [&](Kind kind, TermId x, double times) {
    return scale(elementwise(kind, x), factor * times, tolerance);
  };
  if (first.base == second.base) return scaled(Kind::kSquare, first.base, 1);
  for (const auto& [x, other] : {std::pair{first.base, second.base}, std::pair{second.base, first.base}}) {
    if (terms_[other].operands.empty() || terms_[other].operands[0] != x) continue;
    switch (terms_[other].kind) {
      case Kind::kSquare:
        return scaled(Kind::kCube, x, 1);
      case Kind::kOnePlusSquare:
        return scaled(Kind::kTanhPolynomial, x, 1);
      case Kind::kOnePlusErf:
        return scaled(Kind::kGeluErf, x, 2);
      case Kind::kOnePlusTanh:
        return scaled(Kind::kGeluTanh, x, 2);
      default:
        break;
    }
  }
  refuse("it multiplies what an encoder does not multiply");
}

TermId Evaluator::divide() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  if (is(a, Kind::kIntegers) && is(b, Kind::kIntegers)) return integer_arithmetic('/');
  if (is_number(b)) {
    const Term& c = number_beside(b, a);
    if (c.number == 0) refuse("it divides by 0");
    if (!is_number(a)) return scale(a, 1 / c.number, c.tolerance);
    const Term& other = terms_[a];
    return make(Kind::kNumber, Element::kReal, {}, broadcast(other.shape, c.shape), {},
                other.number / c.number, std::max(other.tolerance, c.tolerance));
  }
  if (is(a, Kind::kRealSum) && is(b, Kind::kRealCount) && terms_[b].shape == std::vector<Dim>{kBatch, 1})
    return make(Kind::kMeanRow, Element::kReal, terms_[a].operands, terms_[a].shape);
  if (is(a, Kind::kCentred) && is(b, Kind::kDeviation) && terms_[a].operands[0] == terms_[b].operands[0])
    return make(Kind::kUnit, Element::kReal, terms_[a].operands, terms_[a].shape, {}, terms_[b].number);
  refuse("it divides what an encoder does not divide");
}

TermId Evaluator::power() {
  expect_inputs(2, 2);
  const TermId x = input(0), exponent = input(1);
  double power = 0;
  if (is_number(exponent))
    power = number_beside(exponent, x).number;
  else if (is(exponent, Kind::kIntegers) && terms_[exponent].integers.size() == 1)
    power = static_cast<double>(terms_[exponent].integers[0]);
  if (terms_[x].element != Element::kReal || is_number(x))
    refuse("it takes the power of what is no value of the network");
  const Scaled whole = unscale(x);
  if (power == 2)
    return scale(elementwise(Kind::kSquare, whole.base), std::pow(whole.factor, 2), whole.tolerance);
  if (power == 3)
    return scale(elementwise(Kind::kCube, whole.base), std::pow(whole.factor, 3), whole.tolerance);
  refuse("its exponent is neither 2 nor 3");
}

TermId Evaluator::square_root() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  const Term& term = terms_[x];
  if (term.kind == Kind::kVarianceEps) return elementwise(Kind::kDeviation, term.operands[0], term.number);
  if (term.kind == Kind::kNumber && term.number >= 0)
    return make(Kind::kNumber, Element::kReal, {}, term.shape, {}, std::sqrt(term.number), term.tolerance);
  refuse("it takes a root where an encoder takes none");
}

TermId Evaluator::error_function() {
  expect_inputs(1, 1);
  const Scaled argument = unscale(input(0));
  if (!near(argument.factor, 1 / std::numbers::sqrt2, kLooser * argument.tolerance))
    refuse("GELU's erf is of " + std::to_string(argument.factor) + " x, not of x / √2");
  return elementwise(Kind::kErf, argument.base);
}

TermId Evaluator::hyperbolic_tangent() {
  expect_inputs(1, 1);
  const Scaled argument = unscale(input(0));
  if (argument.factor == 1 && (is(argument.base, Kind::kLinear) || is(argument.base, Kind::kProduct)) &&
      terms_[argument.base].shape.size() == 2)
    return elementwise(Kind::kTanhRow, argument.base);
  const double expected = std::sqrt(2 / std::numbers::pi);
  if (!is(argument.base, Kind::kTanhPolynomial) ||
      !near(argument.factor, expected, kLooser * argument.tolerance))
    refuse("it is no part of GELU's approximation");
  return elementwise(Kind::kTanh, terms_[argument.base].operands[0]);
}

TermId Evaluator::reduce_mean() {
  expect_inputs(1, 2);
  const TermId x = input(0);
  const Term& term = terms_[x];
  const std::optional<std::vector<int64_t>> given = axes("axes", 1);
  if (!given || given->size() != 1 || term.shape.empty() ||
      axis_of((*given)[0], term.shape.size()) + 1 != term.shape.size())
    refuse("it is no mean over the last dimension");
  if (integer_attribute("keepdims", 1) != 1) refuse("it drops the dimension");
  if (term.element != Element::kReal) refuse("it is a mean of no real numbers");
  std::vector<Dim> shape = term.shape;
  shape.back() = 1;
  const bool is_variance = term.kind == Kind::kSquare && is(term.operands[0], Kind::kCentred);
  if (is_variance)
    return make(Kind::kVariance, Element::kReal, terms_[term.operands[0]].operands, std::move(shape));
  return make(Kind::kMean, Element::kReal, {x}, std::move(shape));
}

TermId Evaluator::equal() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  for (const auto& [mask, number] : {std::pair{a, b}, std::pair{b, a}}) {
    const Term& term = terms_[mask];
    const Term& zero = terms_[number];
    const bool is_zero = (zero.kind == Kind::kNumber && zero.number == 0) ||
                         (zero.kind == Kind::kIntegers && zero.integers == std::vector<int64_t>{0});
    if (term.kind == Kind::kMask && is_zero && zero.shape.size() <= term.shape.size())
      return make(Kind::kPadding, Element::kBoolean, {}, term.shape, term.integers);
  }
  for (const auto& [ids, number] : {std::pair{a, b}, std::pair{b, a}})
    if (is(ids, Kind::kIds) && is(number, Kind::kIntegers) && terms_[number].integers.size() == 1 &&
        terms_[number].shape.size() <= 2 && !is_symbol(terms_[number].integers[0]))
      return make(Kind::kIsToken, Element::kBoolean, {}, terms_[ids].shape, terms_[number].integers);
  const std::vector<int64_t>&x = integers_of(a), &y = integers_of(b);
  const std::vector<Dim> shape = broadcast(terms_[a].shape, terms_[b].shape);
  const size_t count = shape.empty() ? 1 : static_cast<size_t>(shape[0]);
  std::vector<int64_t> result(count);
  for (size_t i = 0; i < count; ++i) {
    const int64_t p = x[x.size() == 1 ? 0 : i], q = y[y.size() == 1 ? 0 : i];
    const bool is_open =
        p != q && ((is_symbol(p) && q > 0) || (is_symbol(q) && p > 0) || (is_symbol(p) && is_symbol(q)));
    if (is_open) refuse("its answer depends on the request");
    result[i] = p == q ? 1 : 0;  // a size of a request is at least 1, so it equals nothing below
  }
  return make(Kind::kIntegers, Element::kBoolean, {}, shape, std::move(result));
}

TermId Evaluator::logical_not() {
  expect_inputs(1, 1);
  const Term& term = terms_[input(0)];
  if (term.kind == Kind::kIsToken)
    return make(Kind::kIsNotToken, Element::kBoolean, {}, term.shape, term.integers);
  if (term.element == Element::kBoolean && term.kind == Kind::kMask)
    return make(Kind::kPadding, Element::kBoolean, {}, term.shape, term.integers);
  if (term.element == Element::kBoolean && term.kind == Kind::kPadding)
    return make(Kind::kMask, Element::kBoolean, {}, term.shape, term.integers);
  refuse("it inverts what is no mask");
}

TermId Evaluator::where() {
  expect_inputs(3, 3);
  const TermId condition = input(0), yes = input(1), no = input(2);
  const Term& term = terms_[condition];
  if (term.element != Element::kBoolean) refuse("its condition is no boolean");
  if (term.kind == Kind::kIntegers) {
    const std::vector<int64_t>&x = integers_of(yes), &y = integers_of(no);
    const std::vector<Dim> shape = broadcast(term.shape, broadcast(terms_[yes].shape, terms_[no].shape));
    const size_t count = shape.empty() ? 1 : static_cast<size_t>(shape[0]);
    const auto at = [](const std::vector<int64_t>& list, size_t i) { return list[list.size() == 1 ? 0 : i]; };
    std::vector<int64_t> result(count);
    for (size_t i = 0; i < count; ++i) result[i] = at(term.integers, i) != 0 ? at(x, i) : at(y, i);
    return make(Kind::kIntegers, terms_[yes].element, {}, shape, std::move(result));
  }
  // torch replaces the probabilities of a text that is all padding, which are NaN; no text is.
  if (term.kind == Kind::kIsNan && is_number(yes) && no == term.operands[0]) return no;
  if (term.kind == Kind::kWithin && is(no, Kind::kWideUpTo) && is(yes, Kind::kDistance) &&
      terms_[yes].element == Element::kInteger) {
    const Term& wide = terms_[no];
    // The logarithm was of the same distance, as a real number.
    if (terms_[wide.operands[0]].integers != terms_[yes].integers || term.integers != terms_[yes].integers ||
        terms_[yes].shape != wide.shape || term.shape != wide.shape ||
        term.number + 1 != static_cast<double>(wide.integers[0]))
      refuse("its buckets of near and far distances do not meet");
    return make(Kind::kHalfBucket, Element::kInteger, {}, wide.shape, wide.integers, wide.number);
  }
  if (term.kind == Kind::kNearMask && is_number(yes) && is_number(no)) {
    if (number_beside(yes, condition).number != 0) refuse("it makes no mask to add to the scores");
    const Term& low = number_beside(no, condition);
    const TermId far = make(Kind::kFarPadding, Element::kReal, {}, term.shape, term.integers, term.number);
    return scale(far, std::max(low.number, -static_cast<double>(FLT_MAX)), low.tolerance);
  }
  if (term.kind != Kind::kMask && term.kind != Kind::kPadding) refuse("its condition is no mask");
  const TermId at_padding = term.kind == Kind::kPadding ? yes : no;
  const TermId at_tokens = term.kind == Kind::kPadding ? no : yes;
  const bool zero_at_tokens =
      (is_number(at_tokens) && terms_[at_tokens].number == 0 &&
       terms_[at_tokens].shape.size() <= term.shape.size()) ||
      (is(at_tokens, Kind::kPadding) && terms_[at_tokens].shape == term.shape &&
       terms_[at_tokens].integers == term.integers && terms_[at_tokens].element == Element::kReal);
  if (!is_number(at_padding) || !zero_at_tokens) refuse("it makes no mask to add to the scores");
  const Term& low = number_beside(at_padding, condition);
  const TermId padding = make(Kind::kPadding, Element::kReal, {}, term.shape, term.integers);
  return scale(padding, std::max(low.number, -static_cast<double>(FLT_MAX)), low.tolerance);
}

TermId Evaluator::is_nan() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  if (!is(x, Kind::kProbabilities)) refuse("it asks this of something else than attention's weights");
  return make(Kind::kIsNan, Element::kBoolean, {x}, terms_[x].shape);
}

}  // namespace gteway::graph
