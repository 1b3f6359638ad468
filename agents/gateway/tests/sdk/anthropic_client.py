"""Anthropic's own client against the gateway. Ends with an error if anything is not as with Anthropic."""

import sys

import anthropic
from common import GOAL, PNG, SYSTEM, TOKEN, URL, raises, report, used

client = anthropic.Anthropic(base_url=URL, api_key=TOKEN, max_retries=0)
ASK = {
    "model": "claude-of-the-client",
    "system": SYSTEM,
    "messages": [{"role": "user", "content": GOAL}],
    "max_tokens": 16_000,
}
NAME = "list_files"
TOOL = {"name": NAME, "description": "Lists files.", "input_schema": {"type": "object", "properties": {}}}


def message_used(usage):
    cached = usage.cache_read_input_tokens or 0
    used(usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0), cached, usage.output_tokens)


def messages():
    whole = client.messages.create(**ASK)
    assert (whole.stop_reason, whole.content[1].name) == ("tool_use", NAME), whole
    message_used(whole.usage)

    with client.messages.stream(**ASK, metadata={"user_id": "stream"}) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text and final.content[1].name == NAME, final
    message_used(final.usage)

    call = whole.content[1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "shop/slug.py"}
    said = [*ASK["messages"], {"role": "assistant", "content": whole.content}, {"role": "user", "content": [result]}]
    turn = client.messages.create(**{**ASK, "messages": said, "tools": [TOOL]})
    assert [block.name for block in turn.content] == ["read_file", "search"], turn
    message_used(turn.usage)

    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    parts = [{"type": "text", "text": GOAL}, {"type": "image", "source": source}]
    seen = client.messages.create(**{**ASK, "messages": [{"role": "user", "content": parts}]})
    assert seen.content[1].name == NAME
    message_used(seen.usage)

    capped = client.messages.create(**{**ASK, "max_tokens": 3})
    assert capped.stop_reason == "max_tokens", capped
    message_used(capped.usage)

    # A beta goes as a header and, from some clients, as a query; and the token as a bearer is as good.
    bearer = anthropic.Anthropic(base_url=URL, auth_token=TOKEN, max_retries=0)
    beta = bearer.beta.messages.create(**ASK, betas=["context-management-2025-06-27"], extra_query={"beta": "true"})
    assert beta.stop_reason == "tool_use", beta
    message_used(beta.usage)


def others():
    counted = client.messages.count_tokens(model="x", messages=ASK["messages"])
    assert counted.input_tokens > 10, counted
    models = client.models.list()
    assert [(model.id, model.type) for model in models] == [("standard", "model")], models
    assert client.models.retrieve("standard").display_name == "standard"
    lost = raises(anthropic.NotFoundError, lambda: client.models.retrieve("claude"))
    assert (lost.type, lost.error_code) == ("not_found_error", "model_not_found"), lost
    lost = raises(anthropic.NotFoundError, lambda: client.messages.batches.list())
    assert lost.error_code == "not_found", lost


def errors():
    """The provider's: three 429, which the gateway tries again itself, a 500 and a refusal."""
    call = lambda **more: client.messages.create(**{**ASK, **more})
    busy = raises(anthropic.RateLimitError, call)
    assert busy.type == "rate_limit_error", busy
    broken = raises(anthropic.InternalServerError, call)
    assert broken.type == "api_error", broken
    unknown = [{"role": "user", "content": "a task nobody recorded"}]
    refused = raises(anthropic.UnprocessableEntityError, lambda: call(messages=unknown))
    assert "no recording" in refused.api_message, refused
    search = {"type": "web_search_20250305", "name": "web_search"}
    wrong = raises(anthropic.BadRequestError, lambda: call(tools=[search]))
    assert (wrong.type, wrong.error_code) == ("invalid_request_error", "unsupported"), wrong
    other = anthropic.Anthropic(base_url=URL, api_key="nobody", max_retries=0)
    lost = raises(anthropic.AuthenticationError, lambda: other.messages.create(**ASK))
    assert lost.type == "authentication_error", lost


def unbound():
    """The caller's role has no model."""
    lost = raises(anthropic.NotFoundError, lambda: client.messages.create(**ASK))
    assert (lost.type, lost.error_code) == ("not_found_error", "no_model"), lost


def exhausted():
    short = raises(anthropic.PaymentRequiredError, lambda: client.messages.create(**ASK))
    assert (short.type, short.error_code) == ("billing_error", "budget_exhausted"), short
    assert "monthly" in short.api_message, short


def mismatched():
    """The role's provider speaks OpenAI's protocol."""
    other = raises(anthropic.BadRequestError, lambda: client.messages.create(**ASK))
    assert other.error_code == "other_protocol" and "golden-system/shared" in other.api_message, other
    assert "/v1/responses" in other.api_message, other


def held_messages():
    with client.messages.stream(**ASK) as stream:
        assert stream.get_final_message().content[1].name == NAME


def failed_messages():
    """The stream has begun when the budget says no: what was to be the status is in the event."""

    def call():
        with client.messages.stream(**ASK) as stream:
            return stream.get_final_message()

    try:
        said = call()
    except anthropic.APIStatusError as short:
        assert (short.type, short.error_code) == ("billing_error", "budget_exhausted"), short
        assert "monthly" in short.api_message, short
        return
    raise AssertionError(f"no error: {said}")


globals()[sys.argv[1]]()
report()
