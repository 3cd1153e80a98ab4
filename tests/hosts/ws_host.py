"""PyPI codex-app-server-sdk, unchanged, at a WebSocket with a capability token.

python3 ws_host.py URL TOKEN FOLDER
"""
