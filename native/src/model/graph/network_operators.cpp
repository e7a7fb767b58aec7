// The operators a transformer is named after.
#include "model/graph/evaluator.hpp"

namespace gteway::graph {

TermId Evaluator::matrix_product() {
  expect_inputs(2, 2);
  const TermId a = input(0), b = input(1);
  const Term& left = terms_[a];
  const Term& right = terms_[b];
  if (right.kind == Kind::kTensor) {
    const size_t rank = left.shape.size();
    if (left.element != Element::kReal || (rank != 3 && rank != 2) || right.shape.size() != 2 ||
        left.shape.back() != right.shape[0] || left.kind == Kind::kTensor)
      refuse("the shapes of its inputs are not those of a linear layer");
    std::vector<Dim> shape = left.shape;
    shape.back() = right.shape[1];
    return make(Kind::kProduct, Element::kReal, {a, b}, std::move(shape));
  }
  // [batch or 1, size / 2, 1] × [batch or 1, 1, sequence]
  if (right.kind == Kind::kPositions && right.element == Element::kReal && right.shape.size() == 3 &&
      right.shape[1] == 1 && left.shape.size() == 3 && left.shape[2] == 1 &&
      (left.kind == Kind::kFrequencies || (left.kind == Kind::kTensor && left.shape[0] == 1)))
    return make(Kind::kAngles, Element::kReal, left.kind == Kind::kTensor ? std::vector{a} : left.operands,
                {broadcast({left.shape[0]}, {right.shape[0]})[0], left.shape[1], kSequence}, {0});
  const Scaled first = unscale(a), second = unscale(b);
  const Term& x = terms_[first.base];
  const Term& y = terms_[second.base];
  const std::vector<int64_t> rows_of_heads = {0, 2, 1, 3}, columns_of_heads = {0, 2, 3, 1};
  const bool is_turned = x.kind == Kind::kTurned && y.kind == Kind::kTurned;
  if (is_turned || (x.kind == Kind::kHeads && y.kind == Kind::kHeads)) {
    if (x.integers != rows_of_heads || y.integers != columns_of_heads || x.shape[1] != y.shape[1] ||
        x.shape[3] != y.shape[2])
      refuse("it is no product of queries and keys, head by head");
    std::vector<TermId> operands = {x.operands[0], y.operands[0]};
    if (is_turned && x.operands[1] != y.operands[1])
      refuse("queries and keys are turned by different angles");
    if (is_turned) operands.push_back(x.operands[1]);
    const TermId scores = make(Kind::kScores, Element::kReal, std::move(operands),
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
  expect_inputs(2, 3);
  const TermId x = input(0), gamma = input(1), beta = has_input(2) ? input(2) : gamma;
  const Term& term = terms_[x];
  if (term.element != Element::kReal || term.shape.empty()) refuse("it normalises no values of the network");
  if (axis_of(integer_attribute("axis", -1), term.shape.size()) + 1 != term.shape.size())
    refuse("it normalises over more than the last dimension");
  for (const TermId parameter : {gamma, beta})
    if (!is(parameter, Kind::kTensor) || terms_[parameter].shape != std::vector<Dim>{term.shape.back()})
      refuse("gamma and beta are not one value per column");
  std::vector<TermId> operands = {x, gamma};
  if (has_input(2)) operands.push_back(beta);
  return make(Kind::kNorm, Element::kReal, std::move(operands), term.shape, {},
              float_attribute("epsilon", 1e-5));
}

TermId Evaluator::gelu() {
  expect_inputs(1, 1);
  const OnnxAttribute* approximate = node().attribute("approximate");
  const std::string_view how = approximate != nullptr && approximate->text ? *approximate->text : "none";
  if (how != "none" && how != "tanh") refuse("an approximation that the encoder does not know");
  return elementwise(how == "none" ? Kind::kGeluErf : Kind::kGeluTanh, input(0));
}

// A linear layer of one row for each sequence.
TermId Evaluator::gemm() {
  expect_inputs(2, 3);
  const TermId x = input(0);
  TermId weight = parameter(1);
  const auto is_one = [&](std::string_view name) { return float_attribute(name, 1) == 1; };
  if (!is_one("alpha") || !is_one("beta") || integer_attribute("transA", 0) != 0)
    refuse("it scales or turns its inputs");
  if (integer_attribute("transB", 0) != 0) {
    Term turned = terms_[weight];
    if (turned.shape.size() != 2) refuse("its weights are no matrix");
    turned.shape = {turned.shape[1], turned.shape[0]};
    turned.integers = {1 - turned.integers[0]};
    weight = terms_.intern(std::move(turned));
  }
  const std::vector<Dim> shape = terms_[x].shape, of_weight = terms_[weight].shape;
  if (terms_[x].element != Element::kReal || shape.size() != 2 || of_weight.size() != 2 ||
      shape[1] != of_weight[0])
    refuse("the shapes of its inputs are not those of a linear layer");
  const TermId product = make(Kind::kProduct, Element::kReal, {x, weight}, {shape[0], of_weight[1]});
  if (!has_input(2)) return product;
  const TermId bias = parameter(2);
  if (terms_[bias].shape != std::vector<Dim>{of_weight[1]}) refuse("its bias is not one value per column");
  return make(Kind::kLinear, Element::kReal, {x, weight, bias}, {shape[0], of_weight[1]});
}

TermId Evaluator::parameter(size_t index) {
  const TermId id = input(index);
  if (is(id, Kind::kTensor)) return id;
  // One element: a number to every other operator
  const auto found = model_.initializers.find(node().inputs[index]);
  if (!is_number(id) || found == model_.initializers.end() || !found->second.floats())
    refuse("input " + std::to_string(index) + " is no parameter of the model");
  Term term;
  term.kind = Kind::kTensor;
  term.shape.assign(found->second.dims.begin(), found->second.dims.end());
  term.tensor = &found->second;
  term.integers = {0};
  term.node = current_;
  return terms_.intern(std::move(term));
}

// Of a sequence's rows, or of its mask.
TermId Evaluator::reduce_sum() {
  expect_inputs(1, 2);
  const Term& term = terms_[input(0)];
  const std::optional<std::vector<int64_t>> given = axes("axes", 1);
  if (!given || given->size() != 1 || term.shape.size() < 2 || axis_of((*given)[0], term.shape.size()) != 1)
    refuse("it is no sum over the tokens");
  const bool keeps = integer_attribute("keepdims", 1) == 1;
  if (term.kind == Kind::kReal && !keeps)
    return make(Kind::kRealSum, Element::kReal, term.operands, {kBatch, term.shape[2]});
  if (term.kind == Kind::kMask && term.integers == std::vector<int64_t>{0, 1} && keeps &&
      term.element != Element::kBoolean)
    return make(Kind::kRealCount, term.element, {}, {kBatch, 1});
  refuse("it sums something else than rows of tokens");
}

TermId Evaluator::relu() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  const Term& term = terms_[x];
  if (term.kind != Kind::kLinear && term.kind != Kind::kProduct) refuse("it is of no linear layer");
  return elementwise(Kind::kReluRow, x);
}

}  // namespace gteway::graph
