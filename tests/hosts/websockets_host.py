"""PyPI websockets, as hosts in Python use it: a loadout in `thread/start`, a turn, and the same thread once more.

python3 websockets_host.py URL TOKEN FOLDER
"""

import itertools
import json
import sys

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

url, token, folder = sys.argv[1:]
ids = itertools.count(1)


def hear(host, fits):
    """The next message that fits."""
    while True:
        message = json.loads(host.recv(timeout=60))
        if fits(message):
            return message


def ask(host, method, params):
    number = next(ids)
    host.send(json.dumps({"id": number, "method": method, "params": params}))
    answer = hear(host, lambda it: it.get("id") == number and "method" not in it)
    if "error" in answer:
        sys.exit(f"{method}: {answer['error']}")
    return answer["result"]


def hello(host):
    who = {"clientInfo": {"name": "websockets", "version": "1"}, "capabilities": {"experimentalApi": True}}
    ask(host, "initialize", who)
    host.send(json.dumps({"method": "initialized"}))


def turn(host, thread, text):
    ask(host, "turn/start", {"threadId": thread, "input": [{"type": "text", "text": text}]})
    hear(host, lambda it: it.get("method") == "turn/completed" and it["params"]["threadId"] == thread)


try:
    connect(url, additional_headers={"Authorization": "Bearer another"}).close()
    sys.exit("a wrong token is taken")
except InvalidStatus as refused:
    assert refused.response.status_code == 401, refused

bearer = {"Authorization": f"Bearer {token}"}
with connect(url, additional_headers=bearer, max_size=None) as host:
    hello(host)
    started = ask(host, "thread/start", {"cwd": folder, "capabilitySelection": {"profile": "review"}})
    assert started["capabilitySelection"]["profile"] == ["review"], started
    thread = started["thread"]["id"]
    turn(host, thread, "What can you do?")
with connect(url, additional_headers=bearer, max_size=None) as host:
    hello(host)
    ask(host, "thread/resume", {"threadId": thread})
    turn(host, thread, "And now?")
print(thread)
