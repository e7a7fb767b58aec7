// Rotary positions: the angles, and heads turned by them; and layers that are computed together and parted.
#include "model/graph/evaluator.hpp"

namespace gteway::graph {
namespace {

std::vector<int64_t> rows_of_heads() { return {0, 2, 1, 3}; }

}  // namespace

TermId Evaluator::cosine() {
  expect_inputs(1, 1);
  const Term& term = terms_[input(0)];
  if (term.kind != Kind::kAnglesTwice) refuse("it is of something else than the angles of positions");
  return make(Kind::kCosines, Element::kReal, term.operands, term.shape);
}

TermId Evaluator::sine() {
  expect_inputs(1, 1);
  const Term& term = terms_[input(0)];
  if (term.kind != Kind::kAnglesTwice) refuse("it is of something else than the angles of positions");
  return make(Kind::kSines, Element::kReal, term.operands, term.shape);
}

// Queries, keys and values.
TermId Evaluator::split() {
  expect_inputs(1, 2);
  const TermId x = input(0);
  const Term& term = terms_[x];
  if (term.kind != Kind::kThirds || axis_of(integer_attribute("axis", 0), term.shape.size()) != 2 ||
      node().outputs.size() != 3)
    refuse("it parts something else than queries, keys and values");
  if (has_input(1) && integers_of(input(1)) != std::vector<int64_t>{1, 1, 1})
    refuse("its parts are not alike");
  const auto third = [&](int64_t which) {
    return make(Kind::kThird, Element::kReal, terms_[x].operands,
                {kBatch, kSequence, 1, terms_[x].shape[3], terms_[x].shape[4]}, {which});
  };
  const TermId first = third(0);
  further_outputs_ = {third(1), third(2)};
  return first;
}

// Columns of a layer, or half of a head's dimensions.
TermId Evaluator::slice_values(TermId x, int64_t first, int64_t end) {
  const Term& term = terms_[x];
  const Dim size = term.shape.back();
  if (is_symbol(size) || is_symbol(first) || is_symbol(end)) refuse("it cuts by a size of the request");
  const int64_t last = end > size ? size : end;
  if (first < 0 || last <= first) refuse("it cuts nothing out");
  std::vector<Dim> shape = term.shape;
  shape.back() = last - first;
  if (term.kind == Kind::kProduct || term.kind == Kind::kLinear)
    return make(Kind::kColumns, Element::kReal, {x}, std::move(shape), {first, last - first});
  if (term.kind == Kind::kHeads && term.integers == rows_of_heads() && size % 2 == 0 &&
      last - first == size / 2)
    return make(Kind::kHalf, Element::kReal, {x}, std::move(shape), {first == 0 ? 0 : 1});
  refuse("it cuts something else than sizes, positions, layers and heads");
}

TermId Evaluator::concat_values() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  const Term& x = terms_[a];
  const size_t rank = x.shape.size();
  if (axis_of(integer_attribute("axis", INT64_MAX), rank) + 1 != rank)
    refuse("it joins along another axis than the last");
  std::vector<Dim> shape = x.shape;
  if (x.kind == Kind::kAngles && a == b && x.integers == std::vector<int64_t>{1}) {
    shape.back() *= 2;
    return make(Kind::kAnglesTwice, Element::kReal, x.operands, std::move(shape));
  }
  const Scaled second = unscale(a);
  const Term& p = terms_[second.base];
  const Term& q = terms_[b];
  if (p.kind == Kind::kHalf && second.factor == -1 && p.integers == std::vector<int64_t>{1} &&
      q.kind == Kind::kHalf && q.integers == std::vector<int64_t>{0} && p.operands == q.operands) {
    const Term& heads = terms_[p.operands[0]];
    return make(Kind::kSwapped, Element::kReal, p.operands, heads.shape);
  }
  refuse("it joins something else than halves of heads");
}

std::optional<TermId> Evaluator::multiply_turned(TermId a, TermId b) {
  for (const auto& [x, angles] : {std::pair{a, b}, std::pair{b, a}}) {
    const Term& heads = terms_[x];
    const Term& turn = terms_[angles];
    const bool is_cosine = turn.kind == Kind::kCosines && heads.kind == Kind::kHeads;
    const bool is_sine = turn.kind == Kind::kSines && heads.kind == Kind::kSwapped;
    if (!is_cosine && !is_sine) continue;
    const std::vector<Dim> alone = {1, 1, kSequence, heads.shape[3]};
    const std::vector<Dim> batched = {kBatch, 1, kSequence, heads.shape[3]};
    if ((turn.shape != alone && turn.shape != batched) || heads.shape[0] != kBatch ||
        heads.shape[2] != kSequence)
      refuse("it turns heads by the angles of others");
    const TermId of = is_cosine ? x : heads.operands[0];
    return make(is_cosine ? Kind::kTimesCos : Kind::kTimesSin, Element::kReal, {of, turn.operands[0]},
                heads.shape);
  }
  return std::nullopt;
}

std::optional<TermId> Evaluator::add_turned(TermId a, TermId b) {
  for (const auto& [x, other] : {std::pair{a, b}, std::pair{b, a}}) {
    const Term& cosines = terms_[x];
    const Term& sines = terms_[other];
    if (cosines.kind != Kind::kTimesCos || sines.kind != Kind::kTimesSin ||
        cosines.operands != sines.operands)
      continue;
    const Term& heads = terms_[cosines.operands[0]];
    return make(Kind::kTurned, Element::kReal, {heads.operands[0], cosines.operands[1]}, heads.shape,
                heads.integers);
  }
  return std::nullopt;
}

}  // namespace gteway::graph
