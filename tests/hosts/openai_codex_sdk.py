"""PyPI openai-codex, unchanged: a profile travels in the thread's config, or on the launch line.

python3 openai_codex_sdk.py CODEX FOLDER
"""

import sys

from openai_codex import Codex, CodexConfig

codex_bin, folder = sys.argv[1:]
with Codex(CodexConfig(codex_bin=codex_bin, cwd=folder)) as codex:
    thread = codex.thread_start(cwd=folder, config={"capability_selection": "review"})
    thread.run("What can you do?")
    fork = codex.thread_fork(thread.id)
    fork.run("And now?")
line = ("capability_selection.profile=review",)
with Codex(CodexConfig(codex_bin=codex_bin, cwd=folder, config_overrides=line)) as codex:
    codex.thread_resume(thread.id).run("And then?")
    other = codex.thread_start(cwd=folder)
    other.run("What can you do?")
for one in (thread, fork, other):
    print(one.id)
