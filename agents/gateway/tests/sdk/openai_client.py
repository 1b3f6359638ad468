"""OpenAI's own client against the gateway. Ends with an error if anything is not as with OpenAI."""

import sys

import openai
from common import GOAL, PNG, SYSTEM, TOKEN, URL, raises, report, used

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=TOKEN, max_retries=0)
CHAT = {
    "model": "gpt-of-the-client",
    "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": GOAL}],
}
RESPONSE = {"model": "gpt-of-the-client", "instructions": SYSTEM, "input": GOAL}
NAME, DESCRIPTION, SCHEMA = "list_files", "Lists files.", {"type": "object", "properties": {}}
CHAT_TOOL = {"type": "function", "function": {"name": NAME, "description": DESCRIPTION, "parameters": SCHEMA}}
TOOL = {"type": "function", "name": NAME, "description": DESCRIPTION, "parameters": SCHEMA, "strict": False}


def chat_used(usage):
    used(usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens)


def response_used(usage):
    used(usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens)


def chat():
    whole = client.chat.completions.create(**CHAT, user="whole")
    assert whole.choices[0].finish_reason == "tool_calls", whole
    chat_used(whole.usage)

    text, calls, usage = "", [], None
    stream = client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True})
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            calls += [call.function.name for call in choice.delta.tool_calls or [] if call.function.name]
    assert text == whole.choices[0].message.content and calls == [NAME], (text, calls)
    chat_used(usage)

    # The tool's result leads on.
    said = whole.choices[0].message
    result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "shop/slug.py"}
    turn = client.chat.completions.create(
        model="x", messages=[*CHAT["messages"], said, result], tools=[CHAT_TOOL], max_completion_tokens=64_000
    )
    assert [call.function.name for call in turn.choices[0].message.tool_calls] == ["read_file", "search"], turn
    chat_used(turn.usage)

    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    parts = [{"type": "text", "text": GOAL}, image]
    seen = client.chat.completions.create(
        model="x", messages=[CHAT["messages"][0], {"role": "user", "content": parts}]
    )
    assert seen.choices[0].message.tool_calls[0].function.name == NAME
    chat_used(seen.usage)

    capped = client.chat.completions.create(**CHAT, max_tokens=3)
    assert capped.choices[0].finish_reason == "length", capped
    chat_used(capped.usage)


def responses():
    whole = client.responses.create(**RESPONSE)
    assert (whole.status, whole.output[1].name) == ("completed", NAME), whole
    response_used(whole.usage)

    # The helper that builds the response checks the order of the events.
    with client.responses.stream(**RESPONSE, metadata={"call": "stream"}) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    assert "response.output_text.delta" in kinds and "response.function_call_arguments.done" in kinds, kinds
    assert final.output_text == whole.output_text
    response_used(final.usage)

    call = whole.output[1]
    said = [{"role": "user", "content": GOAL}, *(item.model_dump(exclude_none=True) for item in whole.output)]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "shop/slug.py"}
    turn = client.responses.create(
        model="x", instructions=SYSTEM, input=[*said, result], tools=[TOOL], max_output_tokens=64_000
    )
    assert [item.name for item in turn.output] == ["read_file", "search"], turn
    response_used(turn.usage)

    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"}
    parts = [{"type": "input_text", "text": GOAL}, image]
    seen = client.responses.create(model="x", instructions=SYSTEM, input=[{"role": "user", "content": parts}])
    assert seen.output[1].name == NAME
    response_used(seen.usage)

    capped = client.responses.create(**RESPONSE, max_output_tokens=3)
    assert (capped.status, capped.incomplete_details.reason) == ("incomplete", "max_output_tokens"), capped
    response_used(capped.usage)

    # What the provider would run itself is withheld, and the answer says so.
    raw = client.responses.with_raw_response.create(**RESPONSE, tools=[TOOL, {"type": "web_search"}])
    assert raw.headers["x-golden-withheld-tools"] == "web_search", raw.headers
    response_used(raw.parse().usage)


def others():
    models = client.models.list()
    assert [model.id for model in models] == ["standard"], models
    assert client.models.retrieve("standard").owned_by == "shared"
    lost = raises(openai.NotFoundError, lambda: client.models.retrieve("gpt-4"))
    assert lost.code == "model_not_found", lost

    embedded = client.embeddings.create(model="embedder", input=["one", "two"])
    assert [len(item.embedding) for item in embedded.data] == [8, 8], embedded
    used(embedded.usage.prompt_tokens, 0, 0)
    lost = raises(openai.NotFoundError, lambda: client.embeddings.create(model="nobody", input="one"))
    assert "embedder" in lost.message, lost


def calls(**more):
    return {
        "chat": lambda: client.chat.completions.create(**{**CHAT, **more}),
        "responses": lambda: client.responses.create(**{**RESPONSE, **more}),
    }


def errors():
    """The provider's: three 429, which the gateway tries again itself, a 500 and a refusal, for each protocol."""
    unknown = {
        "chat": {"messages": [{"role": "user", "content": "a task nobody recorded"}]},
        "responses": {"input": "a task nobody recorded"},
    }
    for name, call in calls().items():
        busy = raises(openai.RateLimitError, call)
        assert busy.code == "ordered_fault", busy
        broken = raises(openai.InternalServerError, call)
        assert broken.status_code == 500, broken
        refused = raises(openai.UnprocessableEntityError, calls(**unknown[name])[name])
        assert refused.code == "no_recording", refused
        wrong = raises(openai.BadRequestError, calls(tools=[{"type": "web_search"}])[name])
        assert (wrong.code, wrong.type) == ("unsupported", "invalid_request_error"), wrong
    other = client.with_options(api_key="nobody")
    lost = raises(openai.AuthenticationError, lambda: other.responses.create(**RESPONSE))
    assert lost.code == "invalid_token", lost
    lost = raises(openai.NotFoundError, lambda: client.responses.retrieve("resp_1"))
    assert lost.code == "not_found", lost


def unbound():
    """The caller's role has no model."""
    for call in calls().values():
        lost = raises(openai.NotFoundError, call)
        assert lost.code == "no_model", lost


def exhausted():
    for call in calls().values():
        short = raises(openai.APIStatusError, call)
        assert (short.status_code, short.code, short.type) == (402, "budget_exhausted", "billing_error"), short
        assert "monthly" in short.message, short


def mismatched():
    """The role's provider speaks Anthropic's protocol."""
    for call in calls().values():
        other = raises(openai.BadRequestError, call)
        assert other.code == "other_protocol" and "golden-system/shared" in other.message, other
        assert "/v1/messages" in other.message, other


def held_chat():
    stream = client.chat.completions.create(**CHAT, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text, "nothing was said"


def held_responses():
    with client.responses.stream(**RESPONSE) as stream:
        assert stream.get_final_response().output[1].name == NAME


def failed_chat():
    failed_stream(lambda: list(client.chat.completions.create(**CHAT, stream=True)))


def failed_responses():
    failed_stream(lambda: list(client.responses.create(**RESPONSE, stream=True)))


def failed_stream(call):
    """The stream has begun when the budget says no."""
    short = raises(openai.APIError, call)
    assert short.code == "budget_exhausted" and "monthly" in short.message, short


globals()[sys.argv[1]]()
report()
