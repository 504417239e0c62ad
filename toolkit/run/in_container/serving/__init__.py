"""Inside the image that trained it: answers requests for a SavedModel, in the JSON of TensorFlow Serving's REST API.

For trying a model, not for production. It has no network: requests come in frames on standard input, answers leave in
frames on standard output. It needs nothing but Python 3.5, numpy and TensorFlow, imported only by `model`.
"""
