// TensorFlow ops over the engine: `Init`, `Bcast`, `AllReduce`, `AllReduceN`, `GuardStep`. One source for TensorFlow
// 1.5 to 2.21.
//
// The kernels are asynchronous: they submit their tensors to the engine's thread and return, so no TensorFlow thread
// ever waits for another rank. Outputs reuse the inputs' memory if TensorFlow permits.
//
// There are two sets of GPU kernels. If this was compiled with CUDA's headers, and libddl_nccl.so finds a GPU when it
// is loaded, the kernels take tensors in GPU memory. Otherwise they take them in host memory: TensorFlow copies them on
// its own streams, whatever its CUDA version. So the ops can always be placed with tf.device("/gpu:0").
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "engine.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/errors.h"

namespace {

using tensorflow::AsyncOpKernel;
using tensorflow::DataType;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::shape_inference::InferenceContext;
namespace errors = tensorflow::errors;

// tensorflow::Status became absl::Status at some version; take the type that the context returns.
typedef std::decay<decltype(std::declval<OpKernelContext>().status())>::type Status;

Status shapes_unchanged(InferenceContext* c) {
  for (int index = 0; index < c->num_inputs(); ++index) c->set_output(index, c->input(index));
  return Status();
}

int type_of(DataType type) {
  switch (type) {
    case tensorflow::DT_HALF:
      return DDL_FLOAT16;
    case tensorflow::DT_BFLOAT16:
      return DDL_BFLOAT16;
    case tensorflow::DT_FLOAT:
      return DDL_FLOAT32;
    case tensorflow::DT_DOUBLE:
      return DDL_FLOAT64;
    case tensorflow::DT_INT32:
      return DDL_INT32;
    case tensorflow::DT_INT64:
      return DDL_INT64;
    default:
      return DDL_BYTES;  // broadcasts only: the other ops' definitions admit no other type
  }
}

int reduction_of(const std::string& op) {
  return op == "avg" ? DDL_AVERAGE : op == "min" ? DDL_MIN : op == "max" ? DDL_MAX : DDL_SUM;
}

Status as_status(int code, const std::string& message) {
  const std::string text = "ddl: " + message;
  switch (code) {
    case DDL_OK:
      return Status();
    case DDL_INVALID:
    case DDL_MISMATCH:
      return errors::InvalidArgument(text);
    case DDL_NOT_READY:
      return errors::FailedPrecondition(text);
    case DDL_SHUT_DOWN:
      return errors::Unavailable(text);
    default:
      return errors::Internal(text);
  }
}

REGISTER_OP("Init")
    .Input("local_rank: int32")
    .Attr("mode: string = ''")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext*) { return Status(); })
    .Doc(R"doc(
Initialises ddl: MPI, and the algorithms of its collectives.

local_rank: this process's number on its host.
mode: the content of DDL_OPTIONS, for example `-mode p:2x4`.
)doc");

REGISTER_OP("Bcast")
    .Input("x: T")
    .Output("y: T")
    .Attr("T: type")
    .Attr("root: int >= 0 = 0")
    .Attr("key: string = ''")
    .SetIsStateful()
    .SetShapeFn(shapes_unchanged)
    .Doc(R"doc(
The value of `x` on rank `root`, on every rank, bit for bit. Not for strings, resources and variants.

key: identifies the collective across ranks; the node's name if empty. As in ddl_enqueue, a line feed in it marks a shared name.
)doc");

REGISTER_OP("AllReduce")
    .Input("x: T")
    .Output("y: T")
    .Attr("op: {'sum', 'avg', 'min', 'max'} = 'sum'")
    .Attr("T: {half, bfloat16, float, double, int32, int64}")
    .Attr("key: string = ''")
    .SetIsStateful()
    .SetShapeFn(shapes_unchanged)
    .Doc(R"doc(
The sum (average, minimum, maximum) of all ranks' `x`, on every rank. Averages are for floating point only.

key: identifies the collective across ranks; the node's name if empty.
)doc");

REGISTER_OP("AllReduceN")
    .Input("xs: T")
    .Output("ys: T")
    .Attr("op: {'sum', 'avg', 'min', 'max'} = 'sum'")
    .Attr("T: list({half, bfloat16, float, double, int32, int64}) >= 1")
    .Attr("of: list(type) = []")
    .Attr("key: string = ''")
    .SetIsStateful()
    .SetShapeFn(shapes_unchanged)
    .Doc(R"doc(
As AllReduce, for a list of tensors, which are fused.

of: the types that the tensors represent, if they were cast for the reduction; must be the same on all ranks. Empty: T.
key: identifies the collective across ranks; the node's name if empty. As in ddl_enqueue, a line feed in it marks a shared name.
)doc");

REGISTER_OP("GuardStep")
    .Input("handles: N * resource")
    .Attr("N: int >= 1")
    .Attr("key: int")
    .Attr("interval: int >= 0")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext*) { return Status(); })
    .Doc(R"doc(
Counts a training step for the divergence guard, after the step's assignments to the variables, and has the ranks compare
the variables after the first step and every `interval` steps.

handles: of the variables, which are on one device.
key: the counter's key, 32 bits; see ddl_guard_count.
interval: 0 to do nothing: for variables on another device; a control edge then makes the counting op wait for this one.
)doc");

// The stream in which TensorFlow computes this op; its headers provide it only if CUDA's are included.
#ifdef DDL_ON_GPU
const bool kOnGpu = true;
void* stream_of(OpKernelContext* context) { return context->eigen_gpu_device().stream(); }
#else
const bool kOnGpu = false;
void* stream_of(OpKernelContext*) { return nullptr; }
#endif

class InitOp : public OpKernel {
 public:
  explicit InitOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("mode", &mode_));
  }

  void Compute(OpKernelContext* context) override {
    const int local_rank = context->input(0).scalar<tensorflow::int32>()();
    const int code = ddl_init(mode_.c_str(), local_rank);
    OP_REQUIRES(context, code == DDL_OK, as_status(code, ddl_last_error()));
  }

 private:
  std::string mode_;
};

// One collective in flight. Its inputs belong to the context, which lives until `done` is called.
struct Running {
  OpKernelContext* context;
  AsyncOpKernel::DoneCallback done;
};

void finish(void* given, int code, const char* message) {
  std::unique_ptr<Running> running(static_cast<Running*>(given));
  if (code != DDL_OK) running->context->SetStatus(as_status(code, message));
  const AsyncOpKernel::DoneCallback done = running->done;
  running.reset();
  done();
}

class CollectiveOp : public AsyncOpKernel {
 public:
  CollectiveOp(OpKernelConstruction* context, int kind) : AsyncOpKernel(context), kind_(kind) {
    OP_REQUIRES_OK(context, context->GetAttr("key", &key_));
    if (key_.empty()) key_ = name();
    for (int index = 0; index < context->num_inputs(); ++index) {
      const DataType type = context->input_type(index);
      OP_REQUIRES(context, tensorflow::DataTypeCanUseMemcpy(type),
                  errors::InvalidArgument("ddl: ", key_, ": cannot broadcast a tensor of type ",
                                          tensorflow::DataTypeString(type), ": its values are not in the tensor itself"));
      elements_.push_back(type_of(type) == DDL_BYTES ? tensorflow::DataTypeString(type) : "");
    }
    if (kind_ == DDL_BROADCAST) {
      OP_REQUIRES_OK(context, context->GetAttr("root", &op_or_root_));
      return;
    }
    std::string op;
    OP_REQUIRES_OK(context, context->GetAttr("op", &op));
    op_or_root_ = reduction_of(op);
    std::vector<DataType> of;
    if (context->HasAttr("of")) OP_REQUIRES_OK(context, context->GetAttr("of", &of));
    OP_REQUIRES(context, of.empty() || of.size() == elements_.size(),
                errors::InvalidArgument("ddl: ", key_, ": `of` and the list of tensors have different lengths"));
    for (size_t index = 0; index < of.size(); ++index) {
      if (of[index] != context->input_type(static_cast<int>(index))) elements_[index] = tensorflow::DataTypeString(of[index]);
    }
  }

  void ComputeAsync(OpKernelContext* context, DoneCallback done) override {
    const int count = context->num_inputs();
    std::unique_ptr<Running> running(new Running{context, done});
    std::vector<ddl_tensor> tensors(static_cast<size_t>(count));
    std::vector<int64_t> dims;
    for (int index = 0; index < count; ++index) {
      for (int axis = 0; axis < context->input(index).dims(); ++axis) {
        dims.push_back(context->input(index).dim_size(axis));
      }
    }
    const int64_t* next_dims = dims.data();
    for (int index = 0; index < count; ++index) {
      const Tensor& input = context->input(index);
      Tensor* output = nullptr;
      const void* address = input.tensor_data().data();
      const int ndims = input.dims();
      const int type = type_of(input.dtype());
      OP_REQUIRES_OK_ASYNC(context, context->forward_input_or_allocate_output({index}, index, input.shape(), &output),
                           done);
      void* to = const_cast<char*>(output->tensor_data().data());
      const int64_t element_bytes = type == DDL_BYTES ? tensorflow::DataTypeSize(input.dtype()) : 0;
      tensors[static_cast<size_t>(index)] = {address, to,   next_dims, ndims,
                                             type,    elements_[static_cast<size_t>(index)].c_str(), element_bytes};
      next_dims += ndims;
    }
    const int code = enqueue(context, tensors, running.get());
    if (code == DDL_OK) {
      running.release();  // now owned by `finish`
      return;
    }
    context->SetStatus(as_status(code, ddl_last_error()));
    done();
  }

 protected:
  virtual int enqueue(OpKernelContext*, const std::vector<ddl_tensor>& tensors, Running* running) {
    return ddl_enqueue(key_.c_str(), kind_, op_or_root_, tensors.data(), static_cast<int>(tensors.size()), &finish,
                       running);
  }

  const int kind_;
  int op_or_root_ = DDL_SUM;
  std::string key_;
  std::vector<std::string> elements_;  // of each tensor: its type's name, if the engine has none for it
};

// Takes device addresses, of tensors that are ready at the current point of TensorFlow's stream.
class GpuCollectiveOp : public CollectiveOp {
 public:
  using CollectiveOp::CollectiveOp;

 protected:
  int enqueue(OpKernelContext* context, const std::vector<ddl_tensor>& tensors, Running* running) override {
    return ddl_enqueue_on_gpu(key_.c_str(), kind_, op_or_root_, tensors.data(), static_cast<int>(tensors.size()),
                              stream_of(context), &finish, running);
  }
};

template <class Base, int kind>
class Op : public Base {
 public:
  explicit Op(OpKernelConstruction* context) : Base(context, kind) {}
};

typedef Op<CollectiveOp, DDL_BROADCAST> BcastOp;
typedef Op<CollectiveOp, DDL_ALLREDUCE> AllReduceOp;
typedef Op<GpuCollectiveOp, DDL_BROADCAST> GpuBcastOp;
typedef Op<GpuCollectiveOp, DDL_ALLREDUCE> GpuAllReduceOp;

// Does not read the variables: Python does, when a comparison is due.
class GuardStepOp : public AsyncOpKernel {
 public:
  explicit GuardStepOp(OpKernelConstruction* context) : AsyncOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("key", &key_));
    OP_REQUIRES_OK(context, context->GetAttr("interval", &interval_));
  }

  // Runs in the thread of the last assignment, without waking another one.
  bool IsExpensive() override { return false; }

  void ComputeAsync(OpKernelContext* context, DoneCallback done) override {
    const int64_t steps = interval_ > 0 ? ddl_guard_count(key_, 1) : 0;
    if (interval_ == 0 || (steps != 1 && steps % interval_ != 0)) {
      done();
      return;
    }
    // Not in TensorFlow's thread: there may be only one, which another rank's comparison could be waiting for.
    const int64_t key = key_;
    std::thread([context, done, key, steps] {
      const int code = ddl_guard_compare(key, steps);
      if (code != DDL_OK) context->SetStatus(as_status(code, ddl_last_error()));
      done();
    }).detach();
  }

 private:
  tensorflow::int32 key_ = 0, interval_ = 0;  // int64 differs between TensorFlow versions
};

REGISTER_KERNEL_BUILDER(Name("GuardStep").Device(tensorflow::DEVICE_CPU), GuardStepOp);
REGISTER_KERNEL_BUILDER(Name("GuardStep").Device(tensorflow::DEVICE_GPU).HostMemory("handles"), GuardStepOp);
REGISTER_KERNEL_BUILDER(Name("Init").Device(tensorflow::DEVICE_CPU), InitOp);
REGISTER_KERNEL_BUILDER(Name("Bcast").Device(tensorflow::DEVICE_CPU), BcastOp);
REGISTER_KERNEL_BUILDER(Name("AllReduce").Device(tensorflow::DEVICE_CPU), AllReduceOp);
REGISTER_KERNEL_BUILDER(Name("AllReduceN").Device(tensorflow::DEVICE_CPU), AllReduceOp);
REGISTER_KERNEL_BUILDER(Name("Init").Device(tensorflow::DEVICE_GPU).HostMemory("local_rank"), InitOp);

// The set of kernels is chosen when the library is loaded.
bool register_for_gpu() {
  if (kOnGpu && ddl_sees_gpu()) {
    REGISTER_KERNEL_BUILDER(Name("Bcast").Device(tensorflow::DEVICE_GPU), GpuBcastOp);
    REGISTER_KERNEL_BUILDER(Name("AllReduce").Device(tensorflow::DEVICE_GPU), GpuAllReduceOp);
    REGISTER_KERNEL_BUILDER(Name("AllReduceN").Device(tensorflow::DEVICE_GPU), GpuAllReduceOp);
  } else {
    REGISTER_KERNEL_BUILDER(Name("Bcast").Device(tensorflow::DEVICE_GPU).HostMemory("x").HostMemory("y"), BcastOp);
    REGISTER_KERNEL_BUILDER(Name("AllReduce").Device(tensorflow::DEVICE_GPU).HostMemory("x").HostMemory("y"),
                            AllReduceOp);
    REGISTER_KERNEL_BUILDER(Name("AllReduceN").Device(tensorflow::DEVICE_GPU).HostMemory("xs").HostMemory("ys"),
                            AllReduceOp);
  }
  return true;
}

const bool registered = register_for_gpu();

}  // namespace
