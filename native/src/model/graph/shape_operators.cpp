// Operators on sizes, on indices, and on the arrangement of values.
#include <algorithm>

#include "base/error.hpp"
#include "model/graph/evaluator.hpp"

namespace gteway::graph {
namespace {

constexpr int64_t kUnbounded =
    INT64_MAX / 4;  // exporters write "to the end" as numbers of this size and more

// The kinds whose `integers` say which dimension is the batch, which the sequence.
bool has_layout(Kind kind) { return kind == Kind::kMask || kind == Kind::kPadding; }

}  // namespace

TermId Evaluator::identity() {
  expect_inputs(1, 1);
  return input(0);
}

TermId Evaluator::cast() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  const auto to = static_cast<OnnxType>(integer_attribute("to", 0));
  Element element{};
  switch (to) {
    case OnnxType::kFloat:
    case OnnxType::kFloat16:
    case OnnxType::kBfloat16:
    case OnnxType::kDouble:
      element = Element::kReal;
      break;
    case OnnxType::kInt32:
    case OnnxType::kInt64:
      element = Element::kInteger;
      break;
    case OnnxType::kBool:
      element = Element::kBoolean;
      break;
    default:
      refuse("it casts to a type that the encoder does not know");
  }
  Term term = terms_[x];
  // Between precisions nothing changes but the rounding.
  if (term.element == element) return x;
  if (term.kind == Kind::kIntegers && element == Element::kReal) {
    if (term.integers.size() != 1 || is_symbol(term.integers[0])) refuse("it casts a list of sizes");
    return make(Kind::kNumber, element, {}, term.shape, {}, static_cast<double>(term.integers[0]));
  }
  if (term.kind == Kind::kIntegers && element == Element::kInteger) {  // of booleans
    return make(Kind::kIntegers, element, {}, term.shape, term.integers);
  }
  const bool is_place = term.kind == Kind::kBehind || term.kind == Kind::kIsNotToken;
  if (is_place && element == Element::kInteger)
    return make(term.kind, element, {}, term.shape, term.integers);
  if ((term.kind == Kind::kDistance || term.kind == Kind::kPositions || term.kind == Kind::kRealCount) &&
      element == Element::kReal)
    return make(term.kind, element, term.operands, term.shape, term.integers);
  if (const Scaled wide = unscale(x);
      is(wide.base, Kind::kLogarithm) && element == Element::kInteger && wide.factor > 0) {
    const Term& logarithm = terms_[wide.base];
    return make(Kind::kWide, element, logarithm.operands, logarithm.shape,
                {static_cast<int64_t>(logarithm.number)}, wide.factor);
  }
  // 0 and 1 are the same in every type; so are small whole numbers, but indices stay integers.
  if (!has_layout(term.kind) && !(term.kind == Kind::kZeros && element == Element::kInteger))
    refuse("it casts to another kind of number");
  return make(term.kind, element, term.operands, term.shape, term.integers);
}

TermId Evaluator::constant_node() {
  expect_inputs(0, 0);
  const OnnxAttribute* value = node().attribute("value");
  if (value == nullptr || !value->tensor || node().attributes.size() != 1)
    refuse("its value is not given as a tensor");
  return constant(*value->tensor);
}

TermId Evaluator::constant_of_shape() {
  expect_inputs(1, 1);
  const std::vector<int64_t>& dims = integers_of(input(0));
  int64_t fill = 0;
  const OnnxAttribute* value = node().attribute("value");
  if (value != nullptr && value->tensor && value->tensor->type == OnnxType::kBool &&
      value->tensor->elements == 1 && value->tensor->has_elements()) {
    value->tensor->read_integers(0, 1, &fill);
    if (fill != 1) refuse("it is false everywhere");
    return make(Kind::kTrue, Element::kBoolean, {}, dims);
  }
  if (value != nullptr) {
    if (!value->tensor || value->tensor->type != OnnxType::kInt64 || value->tensor->elements != 1 ||
        !value->tensor->has_elements())
      refuse("its value is no integer");
    value->tensor->read_integers(0, 1, &fill);
    if (is_symbol(fill)) refuse("its value is out of range");
  } else {
    refuse("its value is no integer");
  }
  if (dims.size() == 1 && dims[0] >= 0 && dims[0] <= 8)
    return make(Kind::kIntegers, Element::kInteger, {}, {dims[0]},
                std::vector<int64_t>(static_cast<size_t>(dims[0]), fill));
  if (fill != 0) return make(Kind::kFill, Element::kInteger, {}, dims, {}, static_cast<double>(fill));
  return make(Kind::kZeros, Element::kInteger, {}, dims);
}

TermId Evaluator::shape_of() {
  expect_inputs(1, 1);
  const std::vector<Dim>& shape = terms_[input(0)].shape;
  const auto rank = static_cast<int64_t>(shape.size());
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t start = bound(integer_attribute("start", 0));
  const int64_t end = std::max(start, bound(integer_attribute("end", rank)));
  return make(Kind::kIntegers, Element::kInteger, {}, {end - start},
              std::vector<int64_t>(shape.begin() + start, shape.begin() + end));
}

// A size out of a list, or rows of a table.
TermId Evaluator::gather() {
  expect_inputs(2, 2);
  const TermId table = input(0), indices = input(1);
  const size_t axis = axis_of(integer_attribute("axis", 0), terms_[table].shape.size());
  // The row of each sequence's first token
  if (axis == 1 && terms_[table].element == Element::kReal && terms_[table].shape.size() == 3 &&
      terms_[table].shape[1] == kSequence && is(indices, Kind::kIntegers) && terms_[indices].shape.empty() &&
      terms_[indices].integers == std::vector<int64_t>{0})
    return make(Kind::kFirstRow, Element::kReal, {table}, {kBatch, terms_[table].shape[2]});
  if (axis != 0) refuse("it gathers along another axis than 0");
  if (is(table, Kind::kMask) && terms_[table].integers[0] == 2) return gather_mask(table, indices);
  if (is(table, Kind::kIntegers)) {
    const std::vector<int64_t>& list = terms_[table].integers;
    std::vector<int64_t> picked;
    for (const int64_t index : integers_of(indices)) {
      if (is_symbol(index)) refuse("it wants integers that are known before the model runs");
      picked.push_back(list[axis_of(index, list.size())]);
    }
    return make(Kind::kIntegers, terms_[table].element, {}, terms_[indices].shape, picked);
  }
  const Term& rows = terms_[table];
  const Term& which = terms_[indices];
  if (rows.kind != Kind::kTensor || rows.shape.size() != 2 || rows.integers[0] != 0)
    refuse("it looks up something else than the rows of a table of the model");
  if (which.kind == Kind::kBucket) {
    if (rows.shape[0] != static_cast<Dim>(which.number)) refuse("its table has another number of buckets");
    std::vector<Dim> of_pairs = which.shape;
    of_pairs.push_back(rows.shape[1]);
    return make(Kind::kBias, Element::kReal, {table}, std::move(of_pairs), {0, 1, 2});
  }
  const bool is_index = which.kind == Kind::kIds || which.kind == Kind::kPositions ||
                        which.kind == Kind::kZeros || which.kind == Kind::kPaddedPositions;
  if (!is_index || which.element != Element::kInteger)
    refuse("it looks up neither tokens, positions nor token types");
  std::vector<Dim> shape = which.shape;
  shape.push_back(rows.shape[1]);
  return make(Kind::kLookup, Element::kReal, {table, indices}, std::move(shape));
}

TermId Evaluator::slice() {
  expect_inputs(3, 5);
  const TermId x = input(0);
  const std::vector<int64_t>& starts = integers_of(input(1));
  const std::vector<int64_t>& ends = integers_of(input(2));
  const Term& term = terms_[x];
  const size_t rank = term.shape.size();
  std::vector<int64_t> along(starts.size()), steps(starts.size(), 1);
  for (size_t i = 0; i < along.size(); ++i) along[i] = static_cast<int64_t>(i);
  if (has_input(3)) along = integers_of(input(3));
  if (has_input(4)) steps = integers_of(input(4));
  if (starts.empty() || ends.size() != starts.size() || along.size() != starts.size() ||
      steps.size() != starts.size())
    refuse("its lists have different lengths");
  for (const int64_t step : steps)
    if (step != 1) refuse("its step is not 1");
  if (term.element == Element::kReal && starts.size() == 1 && rank >= 3 &&
      axis_of(along[0], rank) + 1 == rank)
    return slice_values(x, starts[0], ends[0]);

  if (term.kind == Kind::kIntegers && rank == 1 && starts.size() == 1) {
    axis_of(along[0], rank);
    const auto size = static_cast<int64_t>(term.integers.size());
    if (is_symbol(starts[0]) || is_symbol(ends[0]))
      refuse("it wants integers that are known before the model runs");
    const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
    const int64_t start = bound(starts[0]), end = std::max(start, bound(ends[0]));
    return make(Kind::kIntegers, term.element, {}, {end - start},
                std::vector<int64_t>(term.integers.begin() + start, term.integers.begin() + end));
  }
  // As many positions, or token types, as the text has tokens.
  if (term.kind != Kind::kIota && term.kind != Kind::kZeros)
    refuse("it cuts something else than sizes and positions");
  std::vector<Dim> shape = term.shape;
  bool cut = false;
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t axis = axis_of(along[i], rank);
    if (starts[i] != 0) refuse("it does not start at 0");
    if (ends[i] >= kUnbounded) continue;
    if (ends[i] != kSequence || axis + 1 != rank || cut || is_symbol(shape[axis]))
      refuse("it cuts by something else than the number of tokens");
    shape[axis] = kSequence;
    cut = true;
  }
  if (!cut) return x;
  if (term.kind == Kind::kZeros) return make(Kind::kZeros, term.element, {}, std::move(shape));
  return make(Kind::kPositions, Element::kInteger, {}, std::move(shape), {term.shape.back()});
}

TermId Evaluator::concat() {
  std::vector<int64_t> all;
  if (has_input(0) && terms_[input(0)].element == Element::kReal) return concat_values();
  for (size_t i = 0; i < node().inputs.size(); ++i) {
    const TermId part = input(i);
    const std::vector<int64_t>& list = integers_of(part);
    if (terms_[part].shape.size() != 1 || terms_[part].element != Element::kInteger)
      refuse("it joins something else than lists of sizes");
    if (list.size() > kLongestList - all.size())
      refuse("its result is a list of more than " + std::to_string(kLongestList) + " sizes");
    all.insert(all.end(), list.begin(), list.end());
  }
  if (axis_of(integer_attribute("axis", INT64_MAX), 1) != 0) refuse("it joins along another axis than 0");
  const auto size = static_cast<Dim>(all.size());
  return make(Kind::kIntegers, Element::kInteger, {}, {size}, std::move(all));
}

TermId Evaluator::unsqueeze() {
  expect_inputs(1, 2);
  const TermId x = input(0);
  const std::optional<std::vector<int64_t>> given = axes("axes", 1);
  if (!given || given->empty()) refuse("it has no axes");
  if (given->size() > kMostDimensions)
    refuse("it has more than " + std::to_string(kMostDimensions) + " axes");
  Term term = terms_[x];
  const size_t rank = term.shape.size() + given->size();
  std::vector<bool> is_new(rank);
  for (const int64_t axis : *given) {
    const size_t at = axis_of(axis, rank);
    if (is_new[at]) refuse("it names an axis twice");
    is_new[at] = true;
  }
  std::vector<Dim> shape;
  std::vector<int64_t> layout;
  for (size_t i = 0, from = 0; i < rank; ++i) {
    shape.push_back(is_new[i] ? 1 : term.shape[from]);
    if (has_layout(term.kind)) layout.push_back(is_new[i] ? -1 : term.integers[from]);
    if (!is_new[i]) ++from;
  }
  switch (term.kind) {
    case Kind::kIntegers:
      if (rank != 1) refuse("it makes a table of sizes");
      return make(term.kind, term.element, {}, std::move(shape), term.integers);
    case Kind::kMask:
    case Kind::kPadding:
      return make(term.kind, term.element, {}, std::move(shape), std::move(layout));
    case Kind::kNumber:
      return make(term.kind, term.element, {}, std::move(shape), {}, term.number, term.tolerance);
    case Kind::kPositions:
    case Kind::kZeros:
    case Kind::kCoordinates: {
      std::optional<std::vector<int64_t>> steps = steps_of(x);
      // Positions count along their last dimension.
      if (term.kind != Kind::kCoordinates && !is_new.back())
        return make(term.kind, term.element, {}, std::move(shape), term.integers);
      if (!steps) refuse("it puts a dimension behind the sequence's");
      for (size_t i = 0, from = 0; i < rank; ++i) layout.push_back(is_new[i] ? 0 : (*steps)[from++]);
      return make(Kind::kCoordinates, Element::kInteger, {}, std::move(shape), std::move(layout));
    }
    case Kind::kBias:
      for (size_t i = 0, from = 0; i < rank; ++i) layout.push_back(is_new[i] ? -1 : term.integers[from++]);
      return make(term.kind, term.element, term.operands, std::move(shape), std::move(layout));
    case Kind::kCosines:
    case Kind::kSines:
      if (rank != 4 || !is_new[1]) refuse("it turns heads by the angles of others");
      return make(term.kind, term.element, term.operands, std::move(shape));
    default:
      refuse("it adds a dimension to what should have none");
  }
}

TermId Evaluator::squeeze() {
  expect_inputs(1, 2);
  const TermId x = input(0);
  const std::optional<std::vector<int64_t>> given = axes("axes", 1);
  const Term& term = terms_[x];
  if (term.kind == Kind::kThird) {
    if (!given || given->size() != 1 || axis_of((*given)[0], 5) != 2) refuse("it drops another dimension");
    const Dim heads = term.shape[3], size = term.shape[4], hidden = heads * size;
    const TermId columns = make(Kind::kColumns, Element::kReal, term.operands, {kBatch, kSequence, hidden},
                                {term.integers[0] * hidden, hidden});
    return make(Kind::kHeads, Element::kReal, {columns}, {kBatch, kSequence, heads, size}, {0, 1, 2, 3});
  }
  if (term.kind != Kind::kIntegers || term.shape != std::vector<Dim>{1})
    refuse("it squeezes something else than one size");
  if (given && (given->size() != 1 || axis_of((*given)[0], 1) != 0)) refuse("its axes do not exist");
  return make(term.kind, term.element, {}, {}, term.integers);
}

std::vector<Dim> Evaluator::resolve_shape(const std::vector<Dim>& from, std::vector<Dim> target,
                                          bool zero_copies) const {
  std::optional<size_t> open;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i] == 0) {
      if (!zero_copies || i >= from.size()) refuse("a dimension of 0");
      target[i] = from[i];
    } else if (target[i] == -1) {
      if (open) refuse("its new shape has two open dimensions");
      open = i;
    } else if (target[i] < 0 && !is_symbol(target[i])) {
      refuse("a negative dimension");
    }
  }
  // The open dimension is what remains: one symbol, or a quotient of numbers.
  std::vector<Dim> symbols;
  int64_t product = 1;
  for (const Dim dim : from) {
    if (is_symbol(dim)) {
      symbols.push_back(dim);
    } else {
      if (dim <= 0 || dim > (int64_t{1} << 30) || product > (int64_t{1} << 30))
        refuse("a dimension is out of range");
      product *= dim;
    }
  }
  int64_t used = 1;
  for (size_t i = 0; i < target.size(); ++i) {
    if (i == open) continue;
    if (is_symbol(target[i])) {
      const auto found = std::find(symbols.begin(), symbols.end(), target[i]);
      if (found == symbols.end()) refuse("its new shape has other sizes than its input");
      symbols.erase(found);
    } else {
      if (target[i] > (int64_t{1} << 30) || used > (int64_t{1} << 30)) refuse("a dimension is out of range");
      used *= target[i];
    }
  }
  if (product % used != 0) refuse("its new shape has another number of elements");
  const int64_t rest = product / used;
  if (open && symbols.empty()) {
    target[*open] = rest;
  } else if (open && symbols.size() == 1 && rest == 1) {
    target[*open] = symbols[0];
  } else if (open || !symbols.empty() || rest != 1) {
    refuse("its new shape has another number of elements");
  }
  return target;
}

TermId Evaluator::reshape() {
  expect_inputs(2, 2);
  const TermId x = input(0), target = input(1);
  if (terms_[target].shape.size() != 1) refuse("its new shape is no list");
  if (is(x, Kind::kMask)) return reshape_mask(x, integers_of(target));
  const bool zero_copies = integer_attribute("allowzero", 0) == 0;
  const std::vector<Dim> shape = resolve_shape(terms_[x].shape, integers_of(target), zero_copies);
  if (shape == terms_[x].shape) return x;
  const Term& term = terms_[x];
  if (term.kind == Kind::kMixed) {
    const bool sized = !is_symbol(term.shape[2]) && !is_symbol(term.shape[3]);
    if (!sized || term.integers != std::vector<int64_t>{0, 1, 2, 3} ||
        shape != std::vector<Dim>{kBatch, kSequence, term.shape[2] * term.shape[3]})
      refuse("it joins the heads in another way");
    return make(Kind::kMerged, Element::kReal, {x}, shape);
  }
  if (term.kind == Kind::kIntegers && shape.size() <= 1)
    return make(term.kind, term.element, {}, shape, term.integers);
  if (term.element == Element::kReal && term.shape.size() == 3 && shape.size() == 5 && shape[0] == kBatch &&
      shape[1] == kSequence && shape[2] == 3 && term.shape[0] == kBatch && term.shape[1] == kSequence &&
      !is_symbol(shape[3]) && !is_symbol(shape[4]))
    return make(Kind::kThirds, Element::kReal, {x}, shape);
  const bool splits = term.element == Element::kReal && term.shape.size() == 3 && shape.size() == 4 &&
                      shape[0] == kBatch && shape[1] == kSequence && term.shape[0] == kBatch &&
                      term.shape[1] == kSequence && !is_symbol(shape[2]) && !is_symbol(shape[3]);
  if (!splits) refuse("it changes the shape to something else than heads");
  const Scaled whole = unscale(x);
  const TermId heads = make(Kind::kHeads, Element::kReal, {whole.base}, shape, {0, 1, 2, 3});
  return whole.factor == 1 ? heads : scale(heads, whole.factor, whole.tolerance);
}

TermId Evaluator::transpose() {
  expect_inputs(1, 1);
  const TermId x = input(0);
  const Scaled whole = unscale(x);
  const Term& term = terms_[whole.base];
  const size_t rank = term.shape.size();
  const OnnxAttribute* given = node().attribute("perm");
  std::vector<int64_t> order(rank);
  for (size_t i = 0; i < rank; ++i) order[i] = static_cast<int64_t>(rank - 1 - i);
  if (given != nullptr) order = given->integers;
  std::vector<bool> seen(rank);
  if (order.size() != rank) refuse("its order has another number of dimensions than its input");
  for (const int64_t axis : order) {
    if (axis < 0 || axis >= static_cast<int64_t>(rank) || seen[static_cast<size_t>(axis)])
      refuse("its order is none");
    seen[static_cast<size_t>(axis)] = true;
  }
  std::vector<Dim> shape;
  for (const int64_t axis : order) shape.push_back(term.shape[static_cast<size_t>(axis)]);
  if (term.kind == Kind::kTensor && rank == 2) {
    if (order[0] == 0) return x;
    Term turned = term;
    turned.shape = shape;
    turned.integers = {1 - term.integers[0]};
    return terms_.intern(std::move(turned));
  }
  if (term.kind == Kind::kAngles && whole.factor == 1 && order == std::vector<int64_t>{0, 2, 1} &&
      term.integers == std::vector<int64_t>{0})
    return make(term.kind, Element::kReal, term.operands, std::move(shape), {1});
  if (term.kind != Kind::kHeads && term.kind != Kind::kMixed && term.kind != Kind::kTurned &&
      term.kind != Kind::kBias)
    refuse("it turns something else than heads");
  std::vector<int64_t> layout;
  for (const int64_t axis : order) layout.push_back(term.integers[static_cast<size_t>(axis)]);
  const TermId turned = make(term.kind, Element::kReal, term.operands, std::move(shape), std::move(layout));
  return whole.factor == 1 ? turned : scale(turned, whole.factor, whole.tolerance);
}

TermId Evaluator::expand() {
  expect_inputs(2, 2);
  const TermId x = input(0);
  const Scaled whole = unscale(x);
  const Term& term = terms_[whole.base];
  const std::vector<Dim> target = integers_of(input(1));
  for (const Dim dim : target)
    if (dim <= 0 && !is_symbol(dim)) refuse("it expands to a dimension that is none");
  const std::vector<Dim> shape = broadcast(term.shape, target);
  if (shape == term.shape) return x;
  const size_t added = shape.size() - term.shape.size();
  if (has_layout(term.kind)) {
    std::vector<int64_t> layout(added, -1);
    layout.insert(layout.end(), term.integers.begin(), term.integers.end());
    const TermId wide = make(term.kind, term.element, {}, shape, std::move(layout));
    return whole.factor == 1 ? wide : scale(wide, whole.factor, whole.tolerance);
  }
  if (term.kind == Kind::kBias && whole.factor == 1)
    return make(term.kind, term.element, term.operands, shape, [&] {
      std::vector<int64_t> layout(added, -1);
      layout.insert(layout.end(), term.integers.begin(), term.integers.end());
      return layout;
    }());
  if (term.kind == Kind::kTensor && term.shape.size() == 3 && shape.size() == 3 && shape[0] == kBatch &&
      term.shape[0] == 1 && shape[1] == term.shape[1] && term.shape[2] == 1 && shape[2] == 1)
    return make(Kind::kFrequencies, Element::kReal, {x}, shape);
  if (term.kind == Kind::kZeros) return make(term.kind, term.element, {}, shape);
  if (term.kind == Kind::kPositions) return make(term.kind, term.element, {}, shape, term.integers);
  if (term.kind == Kind::kIntegers && term.integers.size() == 1 && shape.size() == 1 &&
      !is_symbol(shape[0]) && shape[0] <= 8)
    return make(term.kind, term.element, {}, shape,
                std::vector<int64_t>(static_cast<size_t>(shape[0]), term.integers[0]));
  refuse("it expands something else than masks, positions and token types");
}

TermId Evaluator::range() {
  expect_inputs(3, 3);
  const std::vector<int64_t>&start = integers_of(input(0)), &end = integers_of(input(1)),
        &step = integers_of(input(2));
  if (start == std::vector<int64_t>{0} && end == std::vector<int64_t>{kBatch} &&
      step == std::vector<int64_t>{1})
    return make(Kind::kCoordinates, Element::kInteger, {}, {kBatch}, {1});
  if (start != std::vector<int64_t>{0} || end != std::vector<int64_t>{kSequence} ||
      step != std::vector<int64_t>{1})
    refuse("it counts something else than the tokens");
  return make(Kind::kPositions, Element::kInteger, {}, {kSequence}, {INT64_MAX / 2});
}

}  // namespace gteway::graph
