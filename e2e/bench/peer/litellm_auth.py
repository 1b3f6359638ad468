"""The keys of LiteLLM's proxy without a database: what a key may do stands in its name.

`sk-<kind>-<name>-<micro-USD>` has a budget of so much; one whose kind is `agent` calls as the agent of the config, whose
sessions have budgets of their own.
"""

from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.agent_endpoints.agent_registry import global_agent_registry
from litellm.proxy.utils import hash_token


async def check(request, api_key):
    _, kind, name, budget = api_key.split("-")
    agent = global_agent_registry.get_agent_by_name("agent") if kind == "agent" else None
    return UserAPIKeyAuth(
        api_key=api_key,
        token=hash_token(api_key),
        user_id=name,
        max_budget=int(budget) / 1_000_000,
        spend=0.0,
        agent_id=agent.agent_id if agent else None,
    )
