"""What a model's service answers in the protocols of other vendors: first a command to run, then a closing sentence.

Each function takes the body of a request and gives the type and the text of the answer. A command is asked for once
after each thing that a person said; what comes after its result, or after half an answer, is the end.
"""

from __future__ import annotations

import json
from typing import Any

#: Names under which the CLIs offer a shell to their model.
SHELLS = ("bash", "run_shell_command", "Bash", "run_commands", "terminal")
#: Stands in what qwen says to its model when the connection broke off: the rest of an answer is asked for. Others just
#: show the half that they have.
BROKEN_OFF = "previous_response_suffix"

Answer = tuple[str, str]
MODEL = "claude-test"


def _stream(events: list[Any]) -> Answer:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "text/event-stream", "".join(f"data: {text}\n\n" for text in texts)


def offered(body: dict[str, Any]) -> list[str]:
    """Names of the tools that a request offers to the model, in the protocol of any vendor."""
    tools = [one for tool in body.get("tools") or [] for one in tool.get("functionDeclarations") or [tool]]
    return [str(tool.get("function", tool).get("name")) for tool in tools]


def chat(body: dict[str, Any], *, command: str, closing: str) -> Answer:
    """Chat completions."""
    shell = next((name for name in offered(body) if name in SHELLS), None)
    said: dict[str, Any] = {"role": "assistant", "content": closing}
    reason = "stop"
    last = body["messages"][-1]
    if shell is not None and last["role"] not in ("tool", "assistant") and BROKEN_OFF not in json.dumps(last):
        words = json.dumps(_arguments(body, shell, command))
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": shell, "arguments": words}}
        said, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    head = {"id": "chat_1", "created": 1, "model": body.get("model", "")}
    used = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    if not body.get("stream"):
        choice = {"index": 0, "message": said, "finish_reason": reason}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": used}
        return "application/json", json.dumps(whole)
    head["object"] = "chat.completion.chunk"
    first = {**head, "choices": [{"index": 0, "delta": said, "finish_reason": None}]}
    last = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": used}
    return _stream([first, last, "[DONE]"])


def _arguments(body: dict[str, Any], shell: str, command: str) -> dict[str, Any]:
    """A call of the shell, with only the arguments that it knows and those that it demands."""
    tool = next(tool["function"] for tool in body["tools"] if tool["function"]["name"] == shell)
    schema = tool.get("parameters") or {}
    known = schema.get("properties", {})
    if "commands" in known:
        return {"commands": [command]}
    values = {"command": command, "description": "write the file", "is_background": False, "security_risk": "LOW"}
    return {name: value for name, value in values.items() if name in known}


def responses(body: dict[str, Any], *, command: str, closing: str) -> Answer:
    """Responses; the name of the shell is codex's own."""
    if str(body["input"][-1].get("type", "")).endswith("_call_output"):
        text = {"type": "output_text", "text": closing}
        item: dict[str, Any] = {"type": "message", "role": "assistant", "id": "msg_1", "content": [text]}
    else:
        words = json.dumps({"cmd": command})
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "exec_command", "arguments": words}
    used = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    }
    return _stream(
        [
            {"type": "response.created", "response": {"id": "resp_1"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": "resp_1", "output": [item], "usage": used}},
        ]
    )


def gemini(body: dict[str, Any], *, command: str, closing: str, streaming: bool) -> Answer:
    """Gemini's own."""
    shell = next((name for name in offered(body) if name in SHELLS), None)
    # It resumes no session, and says more of its own after a result.
    answered = any("functionResponse" in part for one in body["contents"] for part in one.get("parts", []))
    part: dict[str, Any] = {"text": closing}
    if shell is not None and not answered:
        part = {"functionCall": {"name": shell, "args": {"command": command, "description": "write the file"}}}
    content = {"role": "model", "parts": [part]}
    end = {
        "candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
    }
    if streaming:
        return _stream([{"candidates": [{"content": content, "index": 0}]}, end])
    return "application/json", json.dumps({**end, "candidates": [{"content": content, "finishReason": "STOP"}]})


def messages(body: dict[str, Any], *, command: str, closing: str) -> Answer:
    """Streaming Messages."""
    said = body["messages"][-1]["content"]
    answered = isinstance(said, list) and any(part.get("type") == "tool_result" for part in said)
    # Names of its own for each answer: a session that is resumed would take two of one name for one.
    number = len(body["messages"])
    if "Bash" in offered(body) and not answered:
        block: dict[str, Any] = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {}}
        words = json.dumps({"command": command, "description": "write the file"})
        delta, reason = {"type": "input_json_delta", "partial_json": words}, "tool_use"
    else:
        block, delta, reason = {"type": "text", "text": ""}, {"type": "text_delta", "text": closing}, "end_turn"
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", MODEL),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 1},
    }
    end = {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 20}}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", **end},
        {"type": "message_stop"},
    ]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return "text/event-stream", text
