"""A model with a signature of each kind, by TensorFlow 1's builders. Python 2.7 and TensorFlow 1.5, or newer ones."""

import os

import tensorflow as tf

tf = getattr(getattr(tf, "compat", None), "v1", tf)

with tf.Graph().as_default(), tf.Session() as session:
    examples = tf.placeholder(tf.string, [None])
    x = tf.parse_example(examples, {"x": tf.FixedLenFeature([1], tf.float32, [0.0])})["x"]
    scores = tf.nn.softmax(tf.matmul(x, tf.get_variable("w", initializer=[[1.0, -1.0]])))
    labels = tf.tile([["plus", "minus"]], [tf.shape(x)[0], 1])
    row, size = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int32, [1])
    text, whole, rank = tf.placeholder(tf.string, [None]), tf.placeholder(tf.uint8, [None]), tf.placeholder(tf.float32)
    info, build = tf.saved_model.utils.build_tensor_info, tf.saved_model.signature_def_utils.build_signature_def
    predict, classify, regress = ("tensorflow/serving/" + one for one in ("predict", "classify", "regress"))
    many = {"text_bytes": text, "whole": whole, "any": rank}
    signatures = {
        "serving_default": build({"row": info(row)}, {"sum": info(tf.reduce_sum(row, 1))}, predict),
        "classes": build({"inputs": info(examples)}, {"classes": info(labels), "scores": info(scores)}, classify),
        "value": build({"inputs": info(examples)}, {"outputs": info(x * 2)}, regress),
        "zeros": build({"size": info(size)}, {"zeros": info(tf.fill(size, 0.0))}, predict),
        "many": build(
            {key: info(one) for key, one in many.items()},
            {key: info(tf.identity(one)) for key, one in many.items()},
            predict,
        ),
    }
    session.run(tf.global_variables_initializer())
    builder = tf.saved_model.builder.SavedModelBuilder(os.environ["RESULT_DIR"] + "/model")
    builder.add_meta_graph_and_variables(session, ["serve"], signatures)
    builder.save()
