"""What becomes of a message that was just sent to an agent, told to whoever sent it."""

from __future__ import annotations

from tinytown.missions import messages
from tinytown.missions.agent_states import ENDED
from tinytown.missions.records.agent import Message
from tinytown.missions.records.item import Item
from tinytown.missions.states import AgentState


def outlook(message: Message, item: Item | None, *, state: AgentState, returns: bool) -> str:
    """A sentence without a full stop.

    ``item`` has it answered, if it costs a run; the agent's ``state`` is as it is shown, and if it ``returns`` it is
    started again where there is work for it.
    """
    name = message.to
    if item is not None and item.waiting is not None and messages.is_held(item):
        return f"it waits for you: {item.waiting.remedy}"
    if item is not None and item.attempt is not None:
        return "it starts now"
    back = f"`tt restart {name}` brings it back"
    match state:
        case AgentState.PAUSED:
            return f"`{name}` is interrupted, and gets it when it goes on: `tt resume {name}`"
        case AgentState.DRAINING:
            return f"`{name}` is being closed, and gets it when it is here again: {back}"
        case AgentState.ERROR:
            return f"`{name}` fails again and again, so it waits: see `tt list`"
        case _ if state in ENDED and not returns:
            return f"`{name}` is {state.value}, and gets it when it is here again: {back}"
    if item is None:
        return "it gets it with its next brief; no run is started for it"
    match state:
        case AgentState.WORKING:
            return "it is at work, and gets it with its next brief"
        case AgentState.STARTING:
            return "it gets it as soon as it is here"
        case AgentState.COLD | AgentState.STOPPED:
            return "it is started again for it"
    return f"it waits; `tt task show {item.typed}` says for what"
