#include "model/graph/evaluator.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "base/in_quotes.hpp"

namespace gteway::graph {
namespace {

// Operators changed their meaning between operator sets; these are the ones read.
constexpr int64_t kOldestOpset = 11, kNewestOpset = 24;
// Integers of a table that are looked at together.
constexpr size_t kPiece = 4096;
// Numbers beyond are no sizes, and leave room for the symbols.
constexpr int64_t kLargestInteger = INT64_MAX / 2;
// Half a unit in the last place of a constant, and then of the arithmetic that exporters do with it.
constexpr double kFloatTolerance = 1e-6, kHalfTolerance = 1e-3, kBfloat16Tolerance = 8e-3;

// Names of ONNX's and ONNX Runtime's own operators: DequantizeLinear, MatMulIntegerToFloat, QLinearAdd, …
bool is_quantized(std::string_view op) {
  for (const std::string_view part :
       {"Quantize", "quantize", "MatMulInteger", "QLinear", "QAttention", "NBits"})
    if (op.find(part) != std::string_view::npos) return true;
  return false;
}

}  // namespace

Evaluator::Evaluator(const OnnxModel& model, const std::string& path) : model_(model), path_(path) {
  if (model.opset < kOldestOpset || model.opset > kNewestOpset)
    throw Error(ErrorCode::kModelUnsupported, path + ": operator set " + std::to_string(model.opset) +
                                                  "; the encoder reads " + std::to_string(kOldestOpset) +
                                                  " to " + std::to_string(kNewestOpset));
  place_inputs();
}

// Roles are those that gteway gives every model: engine/ort feeds inputs by the same names.
void Evaluator::place_inputs() {
  for (const OnnxPort& port : model_.inputs) {
    if (model_.initializers.contains(port.name)) continue;
    const std::string name = path_ + ": input " + in_quotes(port.name);
    if (port.type != OnnxType::kInt64 && port.type != OnnxType::kInt32)
      throw Error(ErrorCode::kModelUnsupported, name + " is not of type int64 or int32");
    if (!port.has_shape || port.dims.size() != 2 || port.dims[0].has_value() || port.dims[1].has_value())
      throw Error(ErrorCode::kModelUnsupported, name + " has not the shape [batch, sequence], both free");
    const std::vector<Dim> shape = {kBatch, kSequence};
    TermId term = 0;
    if (port.name == "input_ids") {
      term = make(Kind::kIds, Element::kInteger, {}, shape);
    } else if (port.name == "attention_mask") {
      term = make(Kind::kMask, Element::kInteger, {}, shape, {0, 1});
    } else if (port.name == "token_type_ids") {
      term = make(Kind::kZeros, Element::kInteger, {}, shape);
    } else if (port.name == "position_ids") {
      term = make(Kind::kPositions, Element::kInteger, {}, shape, {kLargestInteger});
    } else {
      throw Error(ErrorCode::kModelUnsupported, name + " is not one a text encoder takes");
    }
    if (!values_.emplace(port.name, term).second)
      throw Error(ErrorCode::kModelInvalid, name + " is there twice");
  }
}

TermId Evaluator::evaluate(std::string_view name) {
  const std::vector<bool> needed = find_needed(name);
  for (size_t i = 0; i < needed.size(); ++i)
    if (needed[i] && is_quantized(model_.nodes[i].op))
      unsupported(i, "the model is quantised: ONNX Runtime runs it");
  for (size_t i = 0; i < needed.size(); ++i)
    if (needed[i]) run(i);
  const auto found = values_.find(name);
  if (found == values_.end())
    throw Error(ErrorCode::kModelInvalid, path_ + ": nothing computes " + in_quotes(name));
  return found->second;
}

// Nodes come in an order in which they can be run, so one walk backwards finds all that `name` depends on.
std::vector<bool> Evaluator::find_needed(std::string_view name) const {
  std::unordered_map<std::string_view, bool> wanted = {{name, true}};
  std::vector<bool> needed(model_.nodes.size());
  for (size_t i = model_.nodes.size(); i-- > 0;) {
    const OnnxNode& candidate = model_.nodes[i];
    for (const std::string_view output : candidate.outputs)
      if (!output.empty() && wanted.contains(output)) needed[i] = true;
    if (!needed[i]) continue;
    for (const std::string_view used : candidate.inputs)
      if (!used.empty()) wanted.emplace(used, true);
  }
  return needed;
}

void Evaluator::run(size_t index) {
  current_ = index;
  if (!node().domain.empty() && node().domain != "ai.onnx")
    refuse("an operator of the domain " + in_quotes(node().domain));
  for (const OnnxAttribute& attribute : node().attributes)
    if (attribute.has_graph) refuse("it has a graph of its own");
  const Operator compute = operator_called(node().op);
  if (compute == nullptr) refuse("the encoder has no such operator");
  if (node().outputs.empty() || node().outputs[0].empty()) refuse("it has no output");
  further_outputs_.clear();
  std::vector<TermId> results = {(this->*compute)()};
  results.insert(results.end(), further_outputs_.begin(), further_outputs_.end());
  for (size_t i = 0; i < std::min(results.size(), node().outputs.size()); ++i) {
    const std::string_view name = node().outputs[i];
    if (name.empty()) continue;
    if (model_.initializers.contains(name) || !values_.emplace(name, results[i]).second)
      throw Error(ErrorCode::kModelInvalid, path_ + ": " + in_quotes(name) + " is computed twice");
  }
}

void Evaluator::unsupported(size_t index, const std::string& reason) const {
  std::string where = path_;
  if (index < model_.nodes.size()) {
    const OnnxNode& at = model_.nodes[index];
    const std::string_view name = !at.name.empty() ? at.name : at.outputs.empty() ? "" : at.outputs[0];
    where += ": node " + in_quotes(name) + " (" + std::string(at.op.substr(0, 120)) + ")";
  }
  throw Error(ErrorCode::kModelUnsupported, where + ": " + reason);
}

bool Evaluator::has_input(size_t index) const {
  return index < node().inputs.size() && !node().inputs[index].empty();
}

TermId Evaluator::input(size_t index) const {
  if (!has_input(index)) refuse("input " + std::to_string(index) + " is missing");
  const std::string_view name = node().inputs[index];
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  // Constants are made when they are used; nothing else of the evaluator changes by it.
  if (const auto found = model_.initializers.find(name); found != model_.initializers.end())
    return const_cast<Evaluator*>(this)->constant(found->second);
  refuse("its input " + in_quotes(name) + " is computed by nothing before it");
}

void Evaluator::expect_inputs(size_t least, size_t most) const {
  if (node().inputs.size() < least || node().inputs.size() > most)
    refuse("it has " + std::to_string(node().inputs.size()) + " inputs");
}

int64_t Evaluator::integer_attribute(std::string_view name, int64_t fallback) const {
  const OnnxAttribute* attribute = node().attribute(name);
  if (attribute == nullptr) return fallback;
  if (!attribute->integer) refuse("attribute '" + std::string(name) + "' is no integer");
  return *attribute->integer;
}

double Evaluator::float_attribute(std::string_view name, double fallback) const {
  const OnnxAttribute* attribute = node().attribute(name);
  if (attribute == nullptr) return fallback;
  if (!attribute->number) refuse("attribute '" + std::string(name) + "' is no number");
  return *attribute->number;
}

std::optional<std::vector<int64_t>> Evaluator::axes(std::string_view attribute, size_t input_index) const {
  const OnnxAttribute* given = node().attribute(attribute);
  if (given != nullptr && has_input(input_index)) refuse("it has " + std::string(attribute) + " twice");
  if (given != nullptr) return given->integers;
  if (!has_input(input_index)) return std::nullopt;
  return integers_of(input(input_index));
}

size_t Evaluator::axis_of(int64_t axis, size_t rank) const {
  const auto size = static_cast<int64_t>(rank);
  if (axis < -size || axis >= size) refuse("axis " + std::to_string(axis) + " does not exist");
  return static_cast<size_t>(axis < 0 ? axis + size : axis);
}

const std::vector<int64_t>& Evaluator::integers_of(TermId id) const {
  if (!is(id, Kind::kIntegers)) refuse("it wants integers that are known before the model runs");
  return terms_[id].integers;
}

TermId Evaluator::constant(const OnnxTensor& tensor) {
  const auto [entry, is_new] = constants_.emplace(&tensor, 0);
  if (is_new) entry->second = make_constant(tensor);
  return entry->second;
}

TermId Evaluator::make_constant(const OnnxTensor& tensor) {
  if (!tensor.has_elements()) refuse("the tensor " + in_quotes(tensor.name) + " " + tensor.reason);
  if (tensor.type == OnnxType::kDouble) refuse("the tensor " + in_quotes(tensor.name) + " is of type double");
  if (tensor.dims.size() > kMostDimensions)
    refuse("the tensor " + in_quotes(tensor.name) + " has more than " + std::to_string(kMostDimensions) +
           " dimensions");
  Term term;
  term.shape.assign(tensor.dims.begin(), tensor.dims.end());
  term.node = current_;
  const std::optional<Tensor> floats = tensor.floats();
  if (!floats) return make_table(tensor, std::move(term));
  if (tensor.elements == 1) {
    float value = 0;
    floats->read(0, 1, &value);
    term.kind = Kind::kNumber;
    term.number = static_cast<double>(value);
    term.tolerance = tensor.type == OnnxType::kFloat     ? kFloatTolerance
                     : tensor.type == OnnxType::kFloat16 ? kHalfTolerance
                                                         : kBfloat16Tolerance;
    return terms_.intern(std::move(term));
  }
  term.kind = Kind::kTensor;
  term.tensor = &tensor;
  term.integers = {0};
  return terms_.intern(std::move(term));
}

// Integers: a list of sizes, or a table of one row, which is of positions or of token types.
TermId Evaluator::make_table(const OnnxTensor& tensor, Term term) {
  term.element = tensor.type == OnnxType::kBool ? Element::kBoolean : Element::kInteger;
  const bool is_list = term.shape.size() <= 1 && tensor.elements <= kLongestList;
  bool zeros = true;
  bool counting = tensor.elements == static_cast<size_t>(tensor.dims.empty() ? 1 : tensor.dims.back());
  std::vector<int64_t> piece;
  for (size_t first = 0; first < tensor.elements; first += piece.size()) {
    piece.resize(std::min(kPiece, tensor.elements - first));
    tensor.read_integers(first, piece.size(), piece.data());
    for (size_t i = 0; i < piece.size(); ++i) {
      if (piece[i] < -kLargestInteger)
        refuse("the tensor " + in_quotes(tensor.name) + " has integers out of range");
      zeros = zeros && piece[i] == 0;
      counting = counting && piece[i] == static_cast<int64_t>(first + i);
    }
    if (!is_list && !zeros && !counting)
      refuse("the integers of " + in_quotes(tensor.name) + " are neither 0, 1, 2, … nor all 0");
  }
  term.kind = is_list ? Kind::kIntegers : counting ? Kind::kIota : Kind::kZeros;
  if (is_list) term.integers = std::move(piece);
  return terms_.intern(std::move(term));
}

TermId Evaluator::make(Kind kind, Element element, std::vector<TermId> operands, std::vector<Dim> shape,
                       std::vector<int64_t> integers, double number, double tolerance) {
  Term term;
  term.kind = kind;
  term.element = element;
  term.operands = std::move(operands);
  term.shape = std::move(shape);
  term.integers = std::move(integers);
  term.number = number;
  term.tolerance = tolerance;
  term.node = current_;
  if (term.shape.size() > kMostDimensions)
    refuse("its result has more than " + std::to_string(kMostDimensions) + " dimensions");
  if (term.integers.size() > kLongestList)
    refuse("its result is a list of more than " + std::to_string(kLongestList) + " sizes");
  return terms_.intern(std::move(term));
}

TermId Evaluator::elementwise(Kind kind, TermId x, double number, double tolerance) {
  return make(kind, Element::kReal, {x}, terms_[x].shape, {}, number, tolerance);
}

TermId Evaluator::scale(TermId x, double factor, double tolerance) {
  if (terms_[x].element != Element::kReal) refuse("it scales what is no real number");
  const Scaled before = unscale(x);
  const double product = before.factor * factor;
  const double widest = std::max(before.tolerance, tolerance);
  if (!std::isfinite(product) || product == 0) refuse("its factor is " + std::to_string(product));
  if (near(product, 1, widest)) return before.base;
  return elementwise(Kind::kScaled, before.base, product, widest);
}

Evaluator::Scaled Evaluator::unscale(TermId x) const {
  const Term& term = terms_[x];
  if (term.kind != Kind::kScaled) return {x, 1, 0};
  return {term.operands[0], term.number, term.tolerance};
}

std::vector<Dim> Evaluator::broadcast(const std::vector<Dim>& a, const std::vector<Dim>& b) const {
  const size_t rank = std::max(a.size(), b.size());
  std::vector<Dim> shape(rank);
  for (size_t i = 1; i <= rank; ++i) {
    const Dim x = i <= a.size() ? a[a.size() - i] : 1;
    const Dim y = i <= b.size() ? b[b.size() - i] : 1;
    if (x != y && x != 1 && y != 1) refuse("the shapes of its inputs do not fit");
    shape[rank - i] = x == 1 ? y : x;
  }
  return shape;
}

bool Evaluator::near(double value, double expected, double tolerance) {
  return std::fabs(value - expected) <= std::max(tolerance, kFloatTolerance) * std::fabs(expected);
}

const Term& Evaluator::number_beside(TermId number, TermId x) const {
  const Term& term = terms_[number];
  if (term.kind != Kind::kNumber || term.shape.size() > terms_[x].shape.size())
    refuse("its number would change the shape of its other input");
  return term;
}

Evaluator::Operator Evaluator::operator_called(std::string_view name) noexcept {
  using E = Evaluator;
  static constexpr std::array<std::pair<std::string_view, Operator>, 49> kAll = {{
      {"Abs", &E::absolute},
      {"Add", &E::add},
      {"And", &E::logical_and},
      {"Cast", &E::cast},
      {"Concat", &E::concat},
      {"Constant", &E::constant_node},
      {"ConstantOfShape", &E::constant_of_shape},
      {"Cos", &E::cosine},
      {"CumSum", &E::cumulative_sum},
      {"Div", &E::divide},
      {"Equal", &E::equal},
      {"Erf", &E::error_function},
      {"Expand", &E::expand},
      {"Flatten", &E::flatten},
      {"Gather", &E::gather},
      {"GatherElements", &E::gather_elements},
      {"Gelu", &E::gelu},
      {"Gemm", &E::gemm},
      {"GreaterOrEqual", &E::greater_or_equal},
      {"Identity", &E::identity},
      {"IsNaN", &E::is_nan},
      {"LayerNormalization", &E::layer_normalization},
      {"Less", &E::less},
      {"LessOrEqual", &E::less_or_equal},
      {"Log", &E::logarithm},
      {"MatMul", &E::matrix_product},
      {"Min", &E::minimum},
      {"Mul", &E::multiply},
      {"Neg", &E::negate},
      {"Not", &E::logical_not},
      {"Pow", &E::power},
      {"Range", &E::range},
      {"ReduceMean", &E::reduce_mean},
      {"ReduceSum", &E::reduce_sum},
      {"Relu", &E::relu},
      {"Reshape", &E::reshape},
      {"Shape", &E::shape_of},
      {"Sin", &E::sine},
      {"Slice", &E::slice},
      {"Softmax", &E::softmax},
      {"Split", &E::split},
      {"Sqrt", &E::square_root},
      {"Squeeze", &E::squeeze},
      {"Sub", &E::subtract},
      {"Tanh", &E::hyperbolic_tangent},
      {"Transpose", &E::transpose},
      {"Unsqueeze", &E::unsqueeze},
      {"Where", &E::where},
  }};
  const auto found =
      std::find_if(kAll.begin(), kAll.end(), [&](const auto& entry) { return entry.first == name; });
  return found == kAll.end() ? nullptr : found->second;
}

}  // namespace gteway::graph
