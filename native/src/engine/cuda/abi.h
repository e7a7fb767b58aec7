// The boundary between the addon, which any compiler builds, and libgteway_cuda, which nvcc builds and which is
// opened at run time where a session asks for a CUDA device. Plain C: structs only grow at their end, and a
// change that does not keep old callers working raises GTEWAY_CUDA_ABI.
//
// Calls return a GtewayCudaCode and, where it is not kGtewayCudaOk, leave a message in `status`. All of them may be
// called from any thread; those on one model that says so, concurrently.
#ifndef GTEWAY_CUDA_ABI_H
#define GTEWAY_CUDA_ABI_H

#include <stdint.h>

#define GTEWAY_CUDA_ABI 1
#define GTEWAY_CUDA_ENTRY "gteway_cuda_api"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum GtewayCudaCode {
  kGtewayCudaOk = 0,
  kGtewayCudaInvalid = 1,            // an argument breaks what is written here
  kGtewayCudaUnsupported = 2,        // a model of a shape that no kernel is built for
  kGtewayCudaDeviceUnavailable = 3,  // no driver, no such device, too old a device
  kGtewayCudaDeviceLost = 4,         // the device failed while computing; the model can only be destroyed
  kGtewayCudaOutOfMemory = 5,
  kGtewayCudaAborted = 6,  // terminate() was called
  kGtewayCudaInternal = 7
} GtewayCudaCode;

typedef struct GtewayCudaStatus {
  char message[512];  // zero-terminated UTF-8
} GtewayCudaStatus;

typedef struct GtewayCudaDevice {
  char name[256];
  int32_t compute_major;
  int32_t compute_minor;
  int32_t processors;  // streaming multiprocessors
  int32_t driver;      // highest CUDA version it serves: 13000 is 13.0
  int32_t runtime;     // of this library
  int32_t reserved;
  uint64_t memory;  // bytes
  uint64_t free_memory;
} GtewayCudaDevice;

typedef enum GtewayCudaType { kGtewayCudaBf16 = 0, kGtewayCudaFp16 = 1 } GtewayCudaType;

typedef struct GtewayCudaConfig {
  int32_t device;
  int32_t type;  // GtewayCudaType
  uint32_t vocabulary;
  uint32_t positions;
  uint32_t hidden;
  uint32_t layers;
  uint32_t heads;
  uint32_t intermediate;
  int32_t gelu_tanh;  // 0: the erf form
  float layer_norm_epsilon;
  uint32_t max_batch_tokens;  // 0: the library's choice. Less is taken where memory does not suffice
  uint32_t lanes;             // batches on the device at a time; 0: 2
} GtewayCudaConfig;

// Parameters. Matrices are [out, in], row-major. Layer is 0 for those outside of layers.
typedef enum GtewayCudaTensor {
  kGtewayCudaWords = 0,      // [vocabulary, hidden]
  kGtewayCudaPositions = 1,  // [positions, hidden], token type 0 added
  kGtewayCudaEmbeddingGamma = 2,
  kGtewayCudaEmbeddingBeta = 3,
  kGtewayCudaQkv = 4,  // [3 × hidden, hidden]: query, key, value
  kGtewayCudaQkvBias = 5,
  kGtewayCudaAttentionOutput = 6,
  kGtewayCudaAttentionOutputBias = 7,
  kGtewayCudaAttentionGamma = 8,
  kGtewayCudaAttentionBeta = 9,
  kGtewayCudaUp = 10,  // [intermediate, hidden]
  kGtewayCudaUpBias = 11,
  kGtewayCudaDown = 12,  // [hidden, intermediate]
  kGtewayCudaDownBias = 13,
  kGtewayCudaOutputGamma = 14,
  kGtewayCudaOutputBeta = 15
} GtewayCudaTensor;

typedef enum GtewayCudaPooling {
  kGtewayCudaMean = 0,
  kGtewayCudaCls = 1,
  kGtewayCudaNone = 2
} GtewayCudaPooling;

typedef struct GtewayCudaBatch {
  const int32_t* ids;       // [offsets[sequences]], each below the vocabulary
  const uint32_t* offsets;  // [sequences + 1], from 0, increasing: no sequence is empty or longer than positions
  uint32_t sequences;
  int32_t pooling;    // GtewayCudaPooling
  int32_t normalize;  // rows of length 1
  uint32_t layers;    // run only the first of them, for a test; 0: all
  float* out;         // [sequences, hidden]; pooling none: [tokens, hidden]
} GtewayCudaBatch;

typedef struct GtewayCudaModel GtewayCudaModel;

typedef struct GtewayCudaApi {
  uint32_t abi;
  uint32_t bytes;  // of this struct

  int32_t (*device_count)(int32_t* count, GtewayCudaStatus* status);
  int32_t (*describe_device)(int32_t device, GtewayCudaDevice* out, GtewayCudaStatus* status);

  // A model on a device, its parameters yet to come.
  int32_t (*create)(const GtewayCudaConfig* config, GtewayCudaModel** model, GtewayCudaStatus* status);
  // Elements [first, first + count) of a parameter. Rounded to the model's type where it is a matrix of a layer.
  int32_t (*set)(GtewayCudaModel* model, int32_t tensor, uint32_t layer, uint64_t first, uint64_t count,
                 const float* values, GtewayCudaStatus* status);
  // All parameters are there: allocates what batches need. `max_batch_tokens`: what it came to.
  int32_t (*finish)(GtewayCudaModel* model, uint32_t* max_batch_tokens, GtewayCudaStatus* status);
  // Computes; larger batches than max_batch_tokens are cut. Concurrently, by as many threads as there are lanes;
  // further ones wait.
  int32_t (*embed)(GtewayCudaModel* model, const GtewayCudaBatch* batch, GtewayCudaStatus* status);
  // Makes embed() fail soon with kGtewayCudaAborted, now and later.
  void (*terminate)(GtewayCudaModel* model);
  // No other call on the model may be under way.
  void (*destroy)(GtewayCudaModel* model);
} GtewayCudaApi;

// Null where the library does not speak this version.
typedef const GtewayCudaApi* (*GtewayCudaEntry)(uint32_t abi);

#ifdef __cplusplus
}
#endif

#endif
