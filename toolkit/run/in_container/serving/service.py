"""A model's answers to requests, whatever carries them."""

from typing import Any, Dict, Tuple

from . import answers, paths, requests
from .refused import Refused
from .tensors import Signature

ARRAY = "ARRAY"
"""Instead of a method: the body is an .npy file, whose rows are `instances`."""

_METHODS = {"classify": "classification", "regress": "regression"}


class Service:
    """Answers requests for `model` under `name`. It may be asked by several threads."""

    def __init__(self, model: Any, name: str) -> None:
        self._model, self._name = model, name
        self._signatures = model.signatures  # type: Dict[str, Signature]

    def answer(self, method: str, path: str, body: bytes) -> Tuple[int, str]:
        """An HTTP status and the JSON."""
        try:
            return 200, self._answer(method, path, body)
        except Refused as refused:
            return refused.status, answers.error(refused.message)

    def _answer(self, method: str, path: str, body: bytes) -> str:
        if method == ARRAY:
            return self._predict({"instances": self._model.read_array(body)})
        request = paths.asked(method, path)
        paths.refuse_other(request, self._name)
        if request.what == "status":
            return answers.status()
        if request.what == "metadata":
            return answers.metadata(self._name, self._signatures)
        found = requests.document(body)
        if request.what == "predict":
            return self._predict(found)
        return self._score(request.what, found)

    def _predict(self, found: Dict[str, Any]) -> str:
        request = requests.prediction(found, self._signatures)
        return answers.predicted(self._model.run(request.signature, request.inputs), request.rows)

    def _score(self, what: str, found: Dict[str, Any]) -> str:
        """`:classify` and `:regress`: examples in; classes and scores, or values, out."""
        name, examples = requests.signature_name(found), requests.examples(found)
        signature = self._signature(name, what)
        outputs = self._model.run(name, {"inputs": self._model.serialized(examples)})
        if what == "regress":
            return answers.regressed(outputs["outputs"], len(examples))
        scored = [outputs[key] if key in signature.outputs else None for key in ("classes", "scores")]
        return answers.classified(scored[0], scored[1], len(examples))

    def _signature(self, name: str, what: str) -> Signature:
        if name not in self._signatures:
            raise Refused("No signature was found with the name: %s" % name)
        signature, method = self._signatures[name], "tensorflow/serving/" + what
        if signature.method != method:
            expected = "Expected %s signature method_name to be %s. Was: %s"
            raise Refused(expected % (_METHODS[what], method, signature.method))
        if list(signature.inputs) != ["inputs"]:
            raise Refused("Expected one input Tensor.")
        wanted = {"outputs"} if what == "regress" else {"classes", "scores"}
        if not wanted & set(signature.outputs):
            expected = "Expected %s signature outputs to contain at least one of %s"
            raise Refused(expected % (_METHODS[what], ", ".join('"%s"' % one for one in sorted(wanted))))
        return signature
