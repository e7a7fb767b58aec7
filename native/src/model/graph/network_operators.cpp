// The operators a transformer is named after.
#include "model/graph/evaluator.hpp"

namespace gteway::graph {

TermId Evaluator::matrix_product() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  const Term& left = terms_[a];
  const Term& right = terms_[b];
  if (right.kind == Kind::kTensor) {
    if (left.element != Element::kReal || left.shape.size() != 3 || right.shape.size() != 2 ||
        left.shape[2] != right.shape[0])
      refuse("the shapes of its inputs are not those of a linear layer");
    return make(Kind::kProduct, Element::kReal, {a, b}, {left.shape[0], left.shape[1], right.shape[1]});
  }
  const Scaled first = unscale(a), second = unscale(b);
  const Term& x = terms_[first.base];
  const Term& y = terms_[second.base];
  const std::vector<int64_t> rows_of_heads = {0, 2, 1, 3}, columns_of_heads = {0, 2, 3, 1};
  if (x.kind == Kind::kHeads && y.kind == Kind::kHeads) {
    if (x.integers != rows_of_heads || y.integers != columns_of_heads || x.shape[1] != y.shape[1] ||
        x.shape[3] != y.shape[2])
      refuse("it is no product of queries and keys, head by head");
    const TermId scores = make(Kind::kScores, Element::kReal, {x.operands[0], y.operands[0]},
                               {kBatch, x.shape[1], kSequence, kSequence}, {x.shape[1], x.shape[3]});
    return scale(scores, first.factor * second.factor, std::max(first.tolerance, second.tolerance));
  }
  if (left.kind == Kind::kProbabilities && right.kind == Kind::kHeads) {
    if (right.integers != rows_of_heads || right.shape[1] != left.integers[0] ||
        right.shape[3] != left.integers[1])
      refuse("it is no product of attention's weights and values, head by head");
    return make(Kind::kMixed, Element::kReal, {a, right.operands[0]}, right.shape, rows_of_heads);
  }
  refuse("it multiplies what an encoder does not multiply");
}

TermId Evaluator::softmax() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  const Term& term = terms_[x];
  if (term.kind != Kind::kMaskedScores) refuse("it is not taken of masked attention scores");
  // Until operator set 13 the default was 1, and all dimensions from the axis on were one.
  const int64_t axis = integer_attribute("axis", model_.opset < 13 ? 1 : -1);
  if (axis_of(axis, term.shape.size()) + 1 != term.shape.size()) refuse("it is not taken over the keys");
  return make(Kind::kProbabilities, Element::kReal, term.operands, term.shape, term.integers);
}

TermId Evaluator::layer_normalization() {
  expect_inputs(3, 3);
  const TermId x = input(0), gamma = input(1), beta = input(2);
  const Term& term = terms_[x];
  if (term.element != Element::kReal || term.shape.empty()) refuse("it normalises no values of the network");
  if (axis_of(integer_attribute("axis", -1), term.shape.size()) + 1 != term.shape.size())
    refuse("it normalises over more than the last dimension");
  for (const TermId parameter : {gamma, beta})
    if (!is(parameter, Kind::kTensor) || terms_[parameter].shape != std::vector<Dim>{term.shape.back()})
      refuse("gamma and beta are not one value per column");
  return make(Kind::kNorm, Element::kReal, {x, gamma, beta}, term.shape, {},
              float_attribute("epsilon", 1e-5));
}

TermId Evaluator::gelu() {
  expect_inputs(1, 1);
  const OnnxAttribute* approximate = node().attribute("approximate");
  const std::string_view how = approximate != nullptr && approximate->text ? *approximate->text : "none";
  if (how != "none" && how != "tanh") refuse("an approximation that the encoder does not know");
  return elementwise(how == "none" ? Kind::kGeluErf : Kind::kGeluTanh, input(0));
}

}  // namespace gteway::graph
