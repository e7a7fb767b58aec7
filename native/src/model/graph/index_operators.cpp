// Where tokens are: coordinates, distances, windows, and the buckets and masks that are made of them.
#include <algorithm>
#include <cmath>

#include "model/graph/evaluator.hpp"

namespace gteway::graph {
namespace {

// Positions that no table of the graph bounds.
constexpr int64_t kUnbounded = INT64_MAX / 2;

// Exporters round log(distance) and its factor to float32.
constexpr double kBucketTolerance = 1e-5;

// [batch, 1, queries, keys]
std::vector<int64_t> of_keys() { return {0, -1, -1, 1}; }

}  // namespace

std::optional<std::vector<int64_t>> Evaluator::steps_of(TermId x) const {
  const Term& term = terms_[x];
  if (term.kind == Kind::kCoordinates) return term.integers;
  if (term.kind != Kind::kPositions || term.element != Element::kInteger || term.shape.empty() ||
      term.integers[0] != kUnbounded)
    return std::nullopt;
  std::vector<int64_t> steps(term.shape.size());
  steps.back() = 1;
  return steps;
}

TermId Evaluator::add_coordinates(TermId a, TermId b, bool subtracts) {
  const std::vector<int64_t> x = *steps_of(a), y = *steps_of(b);
  std::vector<Dim> shape = broadcast(terms_[a].shape, terms_[b].shape);
  std::vector<int64_t> steps(shape.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    const size_t behind = steps.size() - i;
    const int64_t p = behind <= x.size() ? x[x.size() - behind] : 0;
    int64_t q = behind <= y.size() ? y[y.size() - behind] : 0;
    if (p != 0 && q != 0) refuse("it adds two coordinates along one dimension");
    if (q != 0 && subtracts) {
      if (is_symbol(q)) refuse("it subtracts what grows with the text");
      q = -q;
    }
    steps[i] = p != 0 ? p : q;
  }
  return make(Kind::kCoordinates, Element::kInteger, {}, std::move(shape), std::move(steps));
}

TermId Evaluator::scale_coordinates(TermId x, int64_t factor) {
  std::vector<int64_t> steps = *steps_of(x);
  for (int64_t& step : steps) {
    if (step == 0) continue;
    if (factor == -1 && !is_symbol(step))
      step = -step;
    else if (step == 1 && (factor == 1 || factor == kSequence))
      step = factor;
    else
      refuse("it scales coordinates by something else than the number of tokens");
  }
  return make(Kind::kCoordinates, Element::kInteger, {}, terms_[x].shape, std::move(steps));
}

// Sums of which no part is a value of the network; nothing where this is none.
std::optional<TermId> Evaluator::add_places(TermId a, TermId b) {
  if (steps_of(a) && steps_of(b)) return add_coordinates(a, b, false);
  for (const auto& [x, other] : {std::pair{a, b}, std::pair{b, a}}) {
    const Term& term = terms_[x];
    const Term& number = terms_[other];
    const bool is_one = number.kind == Kind::kIntegers && number.integers.size() == 1 &&
                        number.shape.size() <= term.shape.size();
    if (is_one && number.integers[0] == 0 &&
        (steps_of(x) || term.kind == Kind::kSide || term.kind == Kind::kCounted))
      return x;
    if (is_one && term.kind == Kind::kCountedOwn && number.integers[0] == term.integers[0])
      return make(Kind::kPaddedPositions, Element::kInteger, {}, term.shape, term.integers);
    if (is_one && term.kind == Kind::kWide && number.integers[0] == term.integers[0])
      return make(Kind::kWideFrom, Element::kInteger, term.operands, term.shape, term.integers, term.number);
    if (term.kind == Kind::kSide && number.kind == Kind::kHalfBucket) {
      // Queries come first, and keys behind them: of key - query, those above 0 are on the other side.
      const double half = term.number;
      const auto exact = static_cast<double>(number.integers[0]),
                 most = static_cast<double>(number.integers[1]);
      const double factor = (half - exact) / std::log(128 / exact);
      const std::vector<int64_t> query_minus_key = {1, -1};
      if (term.shape != number.shape || term.integers != query_minus_key || half != 2 * exact ||
          most != half - 1 || std::fabs(number.number - factor) > kBucketTolerance * factor)
        refuse("its buckets of distances are not T5's up to 128");
      return make(Kind::kBucket, Element::kInteger, {}, term.shape, {}, 2 * half);
    }
  }
  return std::nullopt;
}

std::optional<TermId> Evaluator::multiply_places(TermId a, TermId b) {
  for (const auto& [x, other] : {std::pair{a, b}, std::pair{b, a}}) {
    const Term& term = terms_[x];
    const Term& number = terms_[other];
    if (term.kind == Kind::kCounted && number.kind == Kind::kIsNotToken && term.integers == number.integers &&
        number.element == Element::kInteger && term.shape == number.shape)
      return make(Kind::kCountedOwn, Element::kInteger, {}, term.shape, term.integers);
    if (number.kind != Kind::kIntegers || number.integers.size() != 1 ||
        number.shape.size() > term.shape.size() || number.element != Element::kInteger)
      continue;
    if (steps_of(x)) return scale_coordinates(x, number.integers[0]);
    if (term.kind == Kind::kBehind && term.element == Element::kInteger && !is_symbol(number.integers[0]))
      return make(Kind::kSide, Element::kInteger, {}, term.shape, term.integers,
                  static_cast<double>(number.integers[0]));
  }
  return std::nullopt;
}

TermId Evaluator::negate() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  if (steps_of(x)) return scale_coordinates(x, -1);
  return scale(x, -1, 0);
}

TermId Evaluator::absolute() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  std::optional<std::vector<int64_t>> steps = steps_of(x);
  if (!steps) refuse("it takes the magnitude of no distance");
  // The last of the two is the keys'.
  const size_t rank = steps->size();
  const bool is_distance = rank >= 2 && (*steps)[rank - 1] * (*steps)[rank - 2] == -1 &&
                           std::count(steps->begin(), steps->end(), 0) == static_cast<ptrdiff_t>(rank) - 2 &&
                           terms_[x].shape[rank - 1] == kSequence && terms_[x].shape[rank - 2] == kSequence;
  if (!is_distance) refuse("it takes the magnitude of something else than query - key");
  (*steps)[rank - 2] = 1;
  (*steps)[rank - 1] = -1;
  return make(Kind::kDistance, Element::kInteger, {}, terms_[x].shape, std::move(*steps));
}

// The one whole number that places are compared with.
static std::optional<int64_t> single(const Term& term, size_t rank) {
  if (term.kind != Kind::kIntegers || term.integers.size() != 1 || term.shape.size() > rank ||
      is_symbol(term.integers[0]))
    return std::nullopt;
  return term.integers[0];
}

TermId Evaluator::less() {
  expect_inputs(2, 2);
  const TermId x = input(0);
  const Term& term = terms_[x];
  const std::optional<int64_t> than = single(terms_[input(1)], term.shape.size());
  if (than && *than == 0 && steps_of(x))
    return make(Kind::kBehind, Element::kBoolean, {}, term.shape, *steps_of(x));
  if (than && *than > 0 && term.kind == Kind::kDistance && term.element == Element::kInteger)
    return make(Kind::kWithin, Element::kBoolean, {}, term.shape, term.integers,
                static_cast<double>(*than - 1));
  refuse("it compares something else than distances of tokens");
}

TermId Evaluator::less_or_equal() {
  expect_inputs(2, 2);
  const Term& term = terms_[input(0)];
  const std::optional<int64_t> than = single(terms_[input(1)], term.shape.size());
  if (!than || *than < 0 || term.kind != Kind::kDistance || term.element != Element::kInteger)
    refuse("it compares something else than distances of tokens");
  return make(Kind::kWithin, Element::kBoolean, {}, term.shape, term.integers, static_cast<double>(*than));
}

TermId Evaluator::greater_or_equal() {
  expect_inputs(2, 2);
  const TermId x = input(0);
  const std::optional<int64_t> than = single(terms_[input(1)], terms_[x].shape.size());
  const std::optional<std::vector<int64_t>> steps = steps_of(x);
  const auto grows = [](int64_t step) { return step >= 0 || is_symbol(step); };
  if (!than || *than > 0 || !steps || !std::all_of(steps->begin(), steps->end(), grows))
    refuse("its answer is not the same for all tokens");
  return make(Kind::kTrue, Element::kBoolean, {}, terms_[x].shape);
}

TermId Evaluator::logical_and() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  if (terms_[a].element != Element::kBoolean || terms_[b].element != Element::kBoolean)
    refuse("it joins what is no boolean");
  if (a == b) return a;
  const std::vector<Dim> shape = broadcast(terms_[a].shape, terms_[b].shape);
  for (const auto& [truth, x] : {std::pair{a, b}, std::pair{b, a}}) {
    const Term& term = terms_[truth];
    const bool is_true = term.kind == Kind::kTrue || (term.kind == Kind::kIntegers && term.shape.empty() &&
                                                      term.integers == std::vector<int64_t>{1});
    if (!is_true) continue;
    if (terms_[x].kind == Kind::kTrue) return make(Kind::kTrue, Element::kBoolean, {}, shape);
    if (terms_[x].shape == shape) return x;
    if (terms_[x].kind == Kind::kMask && terms_[x].shape.size() == shape.size())
      return make(Kind::kMask, Element::kBoolean, {}, shape, terms_[x].integers);
  }
  for (const auto& [near, mask] : {std::pair{a, b}, std::pair{b, a}}) {
    const Term& window = terms_[near];
    const Term& term = terms_[mask];
    if (window.kind == Kind::kWithin && window.integers == std::vector<int64_t>{0, 0, 1, -1} &&
        term.kind == Kind::kMask && term.integers == of_keys() &&
        shape == std::vector<Dim>{kBatch, 1, kSequence, kSequence})
      return make(Kind::kNearMask, Element::kBoolean, {}, shape, of_keys(), window.number);
  }
  refuse("it joins something else than masks");
}

TermId Evaluator::logarithm() {
  expect_inputs(1, 1);
  const Scaled argument = unscale(input(0));
  const Term& term = terms_[argument.base];
  if (term.kind != Kind::kDistance || !(argument.factor > 0)) refuse("it takes the logarithm of no distance");
  return make(Kind::kLogarithm, Element::kReal, {argument.base}, term.shape, term.integers,
              1 / argument.factor);
}

TermId Evaluator::minimum() {
  expect_inputs(2, 2);
  const Term& term = terms_[input(0)];
  const Term& other = terms_[input(1)];
  const std::optional<int64_t> one = single(other, term.shape.size());
  if (term.kind != Kind::kWideFrom || (!one && (other.kind != Kind::kFill || other.shape != term.shape)))
    refuse("it bounds something else than buckets of distances");
  const auto most = one ? *one : static_cast<int64_t>(other.number);
  return make(Kind::kWideUpTo, Element::kInteger, term.operands, term.shape, {term.integers[0], most},
              term.number);
}

// A mask, all its rows one after the other.
TermId Evaluator::flatten() {
  expect_inputs(1, 1);
  const Term& term = terms_[input(0)];
  if (term.kind != Kind::kMask || term.integers != std::vector<int64_t>{0, 1} ||
      integer_attribute("axis", 1) != 2)
    refuse("it flattens something else than the mask");
  return make(Kind::kMask, term.element, {}, {kTokens, 1}, {2, -1});
}

// What lies in a flattened mask at row × tokens + token is the mask of that token in that row.
TermId Evaluator::gather_mask(TermId flat, TermId indices) {
  const std::optional<std::vector<int64_t>> steps = steps_of(indices);
  if (!steps) refuse("it looks up the mask by something else than places of tokens");
  std::vector<int64_t> layout;
  size_t batches = 0, sequences = 0;
  const std::vector<Dim>& shape = terms_[indices].shape;
  for (size_t i = 0; i < steps->size(); ++i) {
    const bool is_batch = (*steps)[i] == kSequence && shape[i] == kBatch;
    const bool is_sequence = (*steps)[i] == 1 && shape[i] == kSequence;
    if ((*steps)[i] != 0 && !is_batch && !is_sequence) refuse("it looks up the mask at no token");
    batches += is_batch;
    sequences += is_sequence;
    layout.push_back(is_batch ? 0 : is_sequence ? 1 : -1);
  }
  if (batches != 1 || sequences != 1) refuse("it looks up the mask at no token");
  std::vector<Dim> result = shape;
  if (terms_[flat].shape.size() == 2) {
    result.push_back(1);
    layout.push_back(-1);
  }
  return make(Kind::kMask, terms_[flat].element, {}, std::move(result), std::move(layout));
}

// Between [batch, sequence] with dimensions of 1 anywhere, and all tokens one after the other.
TermId Evaluator::reshape_mask(TermId mask, std::vector<Dim> target) {
  const Term& term = terms_[mask];
  std::vector<int64_t> order;
  for (size_t i = 0; i < term.integers.size(); ++i) {
    if (term.integers[i] >= 0) order.push_back(term.integers[i]);
    if (term.integers[i] < 0 && term.shape[i] != 1)
      refuse("it changes the shape of a mask that was expanded");
  }
  if (order != std::vector<int64_t>{0, 1} && order != std::vector<int64_t>{2})
    refuse("it changes the shape of a mask");
  std::vector<int64_t> layout, found;
  for (Dim& dim : target) {
    if (dim == -1) dim = kTokens;
    const int64_t which = dim == kBatch ? 0 : dim == kSequence ? 1 : dim == kTokens ? 2 : -1;
    if (which < 0 && dim != 1) refuse("it changes the shape of a mask");
    layout.push_back(which);
    if (which >= 0) found.push_back(which);
  }
  if (found != std::vector<int64_t>{0, 1} && found != std::vector<int64_t>{2})
    refuse("it changes the shape of a mask");
  return make(term.kind, term.element, {}, std::move(target), std::move(layout));
}

TermId Evaluator::cumulative_sum() {
  expect_inputs(2, 2);
  const Term& term = terms_[input(0)];
  const std::vector<int64_t>& axis = integers_of(input(1));
  if (term.kind != Kind::kIsNotToken || term.element != Element::kInteger || axis.size() != 1 ||
      axis_of(axis[0], term.shape.size()) + 1 != term.shape.size() ||
      integer_attribute("exclusive", 0) != 0 || integer_attribute("reverse", 0) != 0)
    refuse("it counts something else than the tokens that are no padding");
  return make(Kind::kCounted, Element::kInteger, {}, term.shape, term.integers);
}

// Of zeros, whatever the indices.
TermId Evaluator::gather_elements() {
  expect_inputs(2, 2);
  const Term& table = terms_[input(0)];
  const Term& indices = terms_[input(1)];
  if (table.kind != Kind::kZeros || indices.element != Element::kInteger)
    refuse("it gathers something else than token types of 0");
  return make(Kind::kZeros, table.element, {}, indices.shape);
}

}  // namespace gteway::graph
