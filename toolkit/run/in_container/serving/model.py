"""A SavedModel in a session: its signatures as values, and what they answer. Any TensorFlow from 1.5 on.

A session can end a computation that takes too long, which functions of TensorFlow 2 cannot. The graph of a model that
TensorFlow 2 saved is built by its own loader: restored by the graph's tensors alone, as TensorFlow Serving does it,
models of Keras 3 lack variables.
"""

import io
from collections import OrderedDict
from typing import Any, Dict, List, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from .refused import Refused, said, status_of
from .requests import Features
from .tensors import Info, Signature, Tensor

_InAndOut = Tuple[Dict[str, Any], Dict[str, Any]]
"""The tensors of a signature, or their names: what is fed, what is fetched."""

_V1 = getattr(getattr(tf, "compat", None), "v1", tf)
_MOST_VALUES = 1 << 20
_MOST_BYTES = 8 << 20
_MOST_SIGNATURES = 1000


class Model:
    """The model in `folder`; `seconds` limit each run of it."""

    def __init__(self, folder: str, seconds: float) -> None:
        self._options = _V1.RunOptions(timeout_in_ms=int(seconds * 1000))
        self._session = _V1.Session(graph=_V1.Graph())
        with self._session.graph.as_default():
            meta = _meta_graph(folder)
            loaded = _load_2(self._session, folder) if meta else None
            meta = meta or _V1.saved_model.loader.load(self._session, ["serve"], folder)
        if len(meta.signature_def) > _MOST_SIGNATURES:
            raise SystemExit("%s has %d signatures" % (folder, len(meta.signature_def)))
        self.signatures = {
            name: Signature(one.method_name, _infos(one.inputs), _infos(one.outputs))
            for name, one in meta.signature_def.items()
        }  # type: Dict[str, Signature]
        self._tensors = loaded or {
            name: (_by_name(one.inputs), _by_name(one.outputs)) for name, one in self.signatures.items()
        }  # type: Dict[str, _InAndOut]

    def run(self, signature: str, inputs: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """All outputs of a signature. Raises `Refused`."""
        if signature not in self._tensors:
            raise Refused("signature %s is TensorFlow's own" % signature)
        feeds, fetches = self._tensors[signature]
        try:
            values = {feeds[key]: _array(one) for key, one in inputs.items()}
            answer = self._session.run(fetches, values, options=self._options)
        except tf.errors.OpError as error:
            raise Refused(said(error.message) or type(error).__name__, status_of(error.error_code)) from None
        except (TypeError, ValueError) as error:
            raise Refused(str(error)) from None
        _refuse_large(answer)
        types = self.signatures[signature].outputs
        return {key: _tensor(value, types[key].dtype) for key, value in answer.items()}

    @staticmethod
    def serialized(examples: List[Features]) -> Tensor:
        """Examples as the tensor that a signature for classification or regression takes."""
        return Tensor("DT_STRING", [len(examples)], [_example(one) for one in examples])

    @staticmethod
    def read_array(body: bytes) -> Any:
        """The values of an .npy file as lists. Raises `Refused`."""
        try:
            return np.load(io.BytesIO(body), allow_pickle=False).tolist()
        except (ValueError, OSError, EOFError) as error:
            raise Refused("not an array of numpy's: %s" % error) from None


def _meta_graph(folder: str) -> Any:
    """The description of a model that TensorFlow 2 saved, where this is TensorFlow 2; else None."""
    if _V1 is tf:
        return None
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    graphs = parse_saved_model(folder).meta_graphs
    return graphs[0] if len(graphs) == 1 and graphs[0].HasField("object_graph_def") else None


def _load_2(session: Any, folder: str) -> Dict[str, _InAndOut]:
    """Build each signature's function into the session's graph, and restore the variables."""
    built = {}
    for name, function in tf.saved_model.load(folder).signatures.items():
        specs = function.structured_input_signature[1]
        feeds = {key: _V1.placeholder(spec.dtype, spec.shape) for key, spec in specs.items()}
        built[name] = feeds, function(**feeds)
    session.run([_V1.global_variables_initializer(), _V1.tables_initializer()])
    return built


def _by_name(infos: Dict[str, Info]) -> Dict[str, str]:
    return {key: info.tensor for key, info in infos.items()}


def _infos(infos: Any) -> Dict[str, Info]:
    return OrderedDict((key, _info(infos[key])) for key in sorted(infos))


def _info(info: Any) -> Info:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else [dimension.size for dimension in shape.dim]
    return Info(info.name, types_pb2.DataType.Name(info.dtype), sizes)


def _array(tensor: Tensor) -> Any:
    if tensor.dtype == "DT_STRING":
        array = np.empty(len(tensor.values), object)
        array[:] = tensor.values
    else:
        dtype = tf.as_dtype(types_pb2.DataType.Value(tensor.dtype)).as_numpy_dtype
        array = np.array(tensor.values, dtype)
    return array.reshape(tensor.shape)


def _refuse_large(answer: Dict[str, Any]) -> None:
    arrays = [np.asarray(value) for value in answer.values()]
    if sum(_lists_and_values(array.shape) for array in arrays) > _MOST_VALUES:
        raise Refused("the outputs have more than %d values" % _MOST_VALUES)
    if sum(len(one) for array in arrays if array.dtype == object for one in array.flat) > _MOST_BYTES:
        raise Refused("the outputs have more than %d bytes" % _MOST_BYTES)


def _lists_and_values(shape: Tuple[int, ...]) -> int:
    """How much is written of a tensor: one without values may still have many empty lists."""
    count = 1
    for size in shape:
        count *= max(1, size)
    return count


def _tensor(value: Any, dtype: str) -> Tensor:
    array = np.asarray(value)
    values = [value] if isinstance(value, bytes) else array.ravel().tolist()
    return Tensor(dtype, list(array.shape), values)


def _example(features: Features) -> bytes:
    example = tf.train.Example()
    for name, (kind, values) in features.items():
        feature = example.features.feature[name]
        if kind:
            getattr(feature, kind + "_list").value.extend(values)
    return bytes(example.SerializeToString())
