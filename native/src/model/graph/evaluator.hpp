// Gives every value of a graph its term. Operators it does not know, or inputs it cannot say the meaning of,
// end it with a reason that names the node.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/graph/term.hpp"
#include "model/onnx_model.hpp"

namespace gteway::graph {

class Evaluator {
 public:
  Evaluator(const OnnxModel& model, const std::string& path);

  // The term of the value `name`. Throws Error{kModelUnsupported} naming the first node, in the file's order,
  // that `name` depends on and that has no meaning here; kModelInvalid where the graph is none.
  TermId evaluate(std::string_view name);

  const Terms& terms() const noexcept { return terms_; }

  // "path: node 'name' (Op): reason"
  [[noreturn]] void unsupported(size_t node, const std::string& reason) const;

 private:
  using Operator = TermId (Evaluator::*)();
  static Operator operator_called(std::string_view name) noexcept;  // null: there is none

  struct Scaled {
    TermId base;
    double factor;
    double tolerance;
  };

  void place_inputs();
  std::vector<bool> find_needed(std::string_view name) const;
  void run(size_t node);
  TermId constant(const OnnxTensor& tensor);
  TermId make_constant(const OnnxTensor& tensor);
  TermId make_table(const OnnxTensor& tensor, Term term);

  // Of the node being run
  const OnnxNode& node() const { return model_.nodes[current_]; }
  [[noreturn]] void refuse(const std::string& reason) const { unsupported(current_, reason); }
  bool has_input(size_t index) const;
  TermId input(size_t index) const;
  void expect_inputs(size_t least, size_t most) const;
  int64_t integer_attribute(std::string_view name, int64_t fallback) const;
  double float_attribute(std::string_view name, double fallback) const;
  // From the attribute or the input of that index, whichever the operator set has.
  std::optional<std::vector<int64_t>> axes(std::string_view attribute, size_t input_index) const;
  size_t axis_of(int64_t axis, size_t rank) const;
  const std::vector<int64_t>& integers_of(TermId id) const;

  TermId make(Kind kind, Element element, std::vector<TermId> operands, std::vector<Dim> shape,
              std::vector<int64_t> integers = {}, double number = 0, double tolerance = 0);
  // A real-valued function of x, elementwise.
  TermId elementwise(Kind kind, TermId x, double number = 0, double tolerance = 0);
  TermId scale(TermId x, double factor, double tolerance);
  Scaled unscale(TermId x) const;
  std::vector<Dim> broadcast(const std::vector<Dim>& a, const std::vector<Dim>& b) const;
  bool is(TermId id, Kind kind) const { return terms_[id].kind == kind; }
  bool is_number(TermId id) const { return is(id, Kind::kNumber); }
  // Whether the number `id` (or `factor`) is `expected`, as far as its precision says.
  static bool near(double value, double expected, double tolerance);
  // A number that x is combined with, elementwise, without changing x's shape.
  const Term& number_beside(TermId number, TermId x) const;

  // Operators: shape_operators.cpp
  TermId identity();
  TermId cast();
  TermId constant_node();
  TermId constant_of_shape();
  TermId shape_of();
  TermId gather();
  TermId slice();
  TermId concat();
  TermId unsqueeze();
  TermId squeeze();
  TermId reshape();
  TermId transpose();
  TermId expand();
  TermId range();
  std::vector<Dim> resolve_shape(const std::vector<Dim>& from, std::vector<Dim> target,
                                 bool zero_copies) const;

  // arithmetic_operators.cpp
  TermId add();
  TermId subtract();
  TermId multiply();
  TermId divide();
  TermId power();
  TermId square_root();
  TermId error_function();
  TermId hyperbolic_tangent();
  TermId reduce_mean();
  TermId equal();
  TermId logical_not();
  TermId where();
  TermId is_nan();
  TermId integer_arithmetic(char sign);
  TermId add_number(TermId x, TermId number);
  TermId add_tensor(TermId x, TermId tensor);
  TermId multiply_terms(TermId a, TermId b);

  // index_operators.cpp
  std::optional<std::vector<int64_t>> steps_of(TermId x) const;  // of coordinates; nothing: they are none
  TermId add_coordinates(TermId a, TermId b, bool subtracts);
  TermId scale_coordinates(TermId x, int64_t factor);
  std::optional<TermId> add_places(TermId a, TermId b);
  std::optional<TermId> multiply_places(TermId a, TermId b);
  TermId negate();
  TermId absolute();
  TermId less();
  TermId less_or_equal();
  TermId greater_or_equal();
  TermId logical_and();
  TermId logarithm();
  TermId minimum();
  TermId flatten();
  TermId cumulative_sum();
  TermId gather_elements();
  TermId gather_mask(TermId flat, TermId indices);
  TermId reshape_mask(TermId mask, std::vector<Dim> target);

  // turn_operators.cpp
  TermId cosine();
  TermId sine();
  TermId split();
  std::optional<TermId> multiply_turned(TermId a, TermId b);
  std::optional<TermId> add_turned(TermId a, TermId b);
  TermId concat_values();
  TermId slice_values(TermId x, int64_t first, int64_t end);

  // network_operators.cpp
  TermId gemm();
  TermId reduce_sum();
  TermId relu();
  TermId parameter(size_t index);  // a tensor even where it has one element
  TermId matrix_product();
  TermId softmax();
  TermId layer_normalization();
  TermId gelu();

  const OnnxModel& model_;
  const std::string& path_;
  Terms terms_;
  std::unordered_map<std::string_view, TermId> values_;
  std::unordered_map<const OnnxTensor*, TermId> constants_;  // each is read once
  size_t current_ = 0;
  std::vector<TermId> further_outputs_;  // of the node being run, behind its first
};

}  // namespace gteway::graph
