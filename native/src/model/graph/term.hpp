// What a value of an ONNX graph means. Every value is given one term, built by its node from the terms of its
// inputs, and each kind of term stands for exactly one formula: a graph whose output has the term of an
// encoder computes that encoder, however it is written. Terms that mean the same are one term, so equality is
// equality of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/onnx_model.hpp"

namespace gteway::graph {

// A size: a number, or one of two that only a request knows. No file may hold these as numbers (Evaluator
// checks).
using Dim = int64_t;
constexpr Dim kBatch = INT64_MIN + 1;
constexpr Dim kSequence = INT64_MIN + 2;
constexpr Dim kTokens = INT64_MIN + 3;  // their product
constexpr bool is_symbol(Dim dim) { return dim == kBatch || dim == kSequence || dim == kTokens; }

using TermId = size_t;

// The bounds of what a graph may derive, several times what encoders do. Longer lists of integers are tables,
// not sizes.
constexpr size_t kLongestList = 64;
constexpr size_t kMostDimensions = 16;

enum class Kind {
  // Known when the model is loaded
  kTensor,  // float elements of the file; `integers` {1}: transposed, so element (i, j) is the file's (j, i)
  kNumber,  // one float: `number`
  kIntegers,  // integers or booleans of rank 0 or 1: `integers`, sizes of the request among them
  kIota,      // 0, 1, 2, … along the last dimension
  kZeros,     // integers that are all 0

  // Tokens. `integers` of a mask: for each dimension 0 where it is the batch, 1 the sequence, -1 where all
  // are alike
  kIds,
  kPositions,  // 0, 1, 2, … along the last dimension; `integers` {how many the graph has}
  kMask,       // 1 or true where a token is real
  kPadding,    // 1 - mask

  // Places of tokens. `integers` of coordinates, distances and what is made of them: for each dimension what
  // one step along it adds, 0, 1, -1 or the number of tokens
  kTrue,         // true everywhere
  kCoordinates,  // the sum of a cell's coordinates, each times its step
  kDistance,     // |query - key|
  kWithin,       // whether that is at most `number`
  kBehind,       // whether coordinates are below 0
  kSide,         // number where they are, else 0
  kLogarithm,    // log(distance / number)
  kWide,         // the whole part of number × log(distance / integers[0])
  kWideFrom,     // integers[0] + that
  kWideUpTo,     // that, integers[1] at most
  kHalfBucket,   // the distance where it is below integers[0], else that
  kBucket,       // relative_bucket() of key - query, of `number` buckets
  kFill,         // the integer `number` everywhere
  kNearMask,     // a mask, and within a distance of `number`
  kFarPadding,   // 1 - that

  // Tokens that are not the padding, whose id is integers[0]
  kIsToken,          // whether a token is that
  kIsNotToken,       // whether it is not
  kCounted,          // how many are not, up to this token
  kCountedOwn,       // that, 0 where this token is
  kPaddedPositions,  // that and the padding's id: rows of the position table

  // Any x; `number` is what the formula says
  kScaled,          // number × x
  kSquare,          // x²
  kCube,            // x³
  kErf,             // erf(x / √2)
  kOnePlusErf,      // 1 + erf(x / √2)
  kTanhPolynomial,  // x + 0.044715 x³
  kOnePlusSquare,   // 1 + 0.044715 x²
  kTanh,            // tanh(√(2/π) (x + 0.044715 x³))
  kOnePlusTanh,     // 1 + that
  kGeluErf,         // x/2 (1 + erf(x / √2))
  kGeluTanh,        // x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))

  // LayerNorm of x over the last dimension
  kMean,         // mean(x)
  kCentred,      // x - mean(x)
  kVariance,     // mean((x - mean(x))²)
  kVarianceEps,  // variance + number
  kDeviation,    // √(variance + number)
  kUnit,         // (x - mean(x)) / √(variance + number)
  kUnitGamma,    // unit(x) gamma
  kNorm,         // unit(x) gamma + beta:  x, gamma, beta

  // The network
  kLookup,    // rows of a table:  table, indices
  kSum,       // a + b, unordered: operands ascending; `integers` {summands}
  kResidual,  // x + a layer of a block:  x, layer
  kProduct,   // x W:  x, W
  kLinear,    // x W + b:  x, W, b
  kColumns,   // columns of a layer:  layer; `integers` {first, how many}
  kGated,     // activation(gate) × up:  activation, up
  kHeads,     // [batch, sequence, heads, size]; `integers`: which of these each dimension is
  kThirds,    // a layer of queries, keys and values as [batch, sequence, 3, heads, size]:  layer
  kThird,     // one of these:  layer; `integers` {which}
  // Heads turned by their positions; `integers` as of kHeads
  kFrequencies,  // of the file, for each sequence: [batch, size / 2, 1]:  tensor
  kAngles,       // frequencies × positions; `integers` {1}: [batch or 1, sequence, size / 2]:  tensor
  kAnglesTwice,  // two of these beside each other:  tensor
  kCosines,      // of these:  tensor
  kSines,
  kHalf,      // the first (`integers` {0}) or second half of a head's dimensions:  heads
  kSwapped,   // the second half negated, and the first behind it:  heads
  kTimesCos,  // heads × cosines:  heads, tensor
  kTimesSin,  // swapped heads × sines:  heads, tensor
  kTurned,    // their sum:  x, tensor
  kBias,  // rows of a table for buckets:  table; `integers`: which of queries, keys, heads each dimension is
  // Q Kᵀ of each head:  q, k as [batch, sequence, hidden], and the frequencies they were turned by;
  // `integers` {heads, size}
  kScores,
  kBiasedScores,  // scores / √size + bias:  q, k, table
  // scores / √size, or these with their bias, the padding's made hopeless; `integers` {heads, size, reach or
  // -1, 0 or 1 (turned) or 2 (biased)}
  kMaskedScores,
  kProbabilities,  // softmax of these over the keys
  kIsNan,          // whether x is NaN
  kMixed,          // probabilities × V of each head:  probabilities, v; `integers` as of kHeads
  kMerged,         // the same as [batch, sequence, hidden]

  // One row of each sequence
  kFirstRow,   // of its first token:  x
  kReal,       // x where a token is real, else 0:  x
  kRealSum,    // the sum of these over a sequence:  x
  kRealCount,  // how many tokens are real
  kMeanRow,    // their quotient:  x
  kTanhRow,    // tanh(x):  x
  kReluRow,    // max(x, 0):  x
};

enum class Element { kInteger, kBoolean, kReal };

struct Term {
  Kind kind{};
  Element element = Element::kReal;
  std::vector<TermId> operands;
  std::vector<Dim> shape;
  std::vector<int64_t> integers;
  double number = 0;
  const OnnxTensor* tensor = nullptr;
  // How far `number` may be off, relatively: constants of a half-precision graph are rounded. Not part of
  // identity.
  double tolerance = 0;
  size_t node = SIZE_MAX;  // that made it first, for messages. Not part of identity.
};

class Terms {
 public:
  // What all terms of a graph may take of memory.
  static constexpr size_t kMostBytes = size_t{16} << 20;

  // The one term that equals `term`. Throws Error{kModelUnsupported} where there are too many.
  TermId intern(Term term);
  const Term& operator[](TermId id) const { return terms_[id]; }

 private:
  std::deque<Term> terms_;  // references into it last
  std::unordered_map<std::string, TermId> known_;
  size_t bytes_ = 0;
};

}  // namespace gteway::graph
