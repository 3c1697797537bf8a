"""Referenced Secrets: found, missing, changed, and never kept."""

from base64 import b64encode

import pytest

from ragdeploy_operator.api import SecretUse
from ragdeploy_operator.engine.references import References, SecretVersions
from ragdeploy_operator.objects import Key
from tests.operator.engine.fake_api import FakeApi

READER = Key("demo", "docs")
KEY = SecretUse(path="spec.llm.apiKeySecretRef", name="openai", key="api-key")
ALL = SecretUse(path="spec.auth.apiKeysSecretRef", name="openai", key=None)


class World:
    def __init__(self):
        self.api = FakeApi()
        self.told = []
        self.versions = SecretVersions(on_change=self.told.append)
        self.references = References(self.api, self.versions)

    def put(self, name="openai", **values):
        data = {key.replace("_", "-"): b64encode(v.encode()).decode() for key, v in values.items()}
        self.versions.put(self.api.put(name, data=data))

    def delete(self, name="openai"):
        del self.api.objects[name]
        self.versions.drop(Key("demo", name), version=str(self.api.version))

    async def resolve(self, *uses):
        return await self.references.resolve(READER, uses)

    async def why(self, use):
        [missing] = (await self.resolve(use)).missing
        assert missing.use == use
        return missing.why


@pytest.fixture
def world():
    return World()


async def test_what_is_the_matter_is_said(world):
    assert await world.why(KEY) == "does not exist"
    world.put(token="x")
    assert await world.why(KEY) == "has no key 'api-key' (its keys: token)"
    world.put()
    assert await world.why(KEY) == "has no key 'api-key' (its keys: none)"
    assert await world.why(ALL) == "is empty"
    world.put(api_key="")
    assert await world.why(KEY) == "has nothing under key 'api-key'"
    world.put(api_key="sk-1")
    assert (await world.resolve(KEY, ALL)).missing == ()


async def test_the_reader_is_told_when_it_comes_changes_and_goes(world):
    await world.resolve(KEY)
    world.put(api_key="1")
    world.put(api_key="2")
    world.delete()
    assert world.told == [READER] * 3


async def test_nobody_is_told_of_other_secrets(world):
    await world.resolve(KEY)
    world.put("other", api_key="1")
    assert world.told == []


async def test_a_reference_that_was_given_up_is_not_told_of(world):
    await world.resolve(KEY)
    await world.resolve()
    world.put(api_key="1")
    assert world.told == []


async def test_a_secret_is_read_once_per_version(world):
    world.put(api_key="1")
    for _ in range(3):
        await world.resolve(KEY, ALL)
    assert world.api.requests == ["get openai"]
    world.put(api_key="2")
    await world.resolve(KEY)
    assert world.api.requests == ["get openai"] * 2


async def test_the_checksum_is_of_the_value_that_is_used_and_of_no_other(world):
    async def checksum(use):
        return (await world.resolve(use)).checksums[use]

    world.put(api_key="1", other="a")
    first = await checksum(KEY), await checksum(ALL)
    world.put(api_key="1", other="b")
    second = await checksum(KEY), await checksum(ALL)
    assert second[0] == first[0]
    assert second[1] != first[1]
    world.put(api_key="2", other="b")
    assert await checksum(KEY) != first[0]


async def test_values_are_not_kept(world):
    world.put(api_key="very-secret")
    resolved = await world.resolve(KEY)
    assert "very-secret" not in repr((vars(world.references), vars(world.versions), resolved))


async def test_nothing_is_kept_of_a_resource_that_is_gone(world):
    world.put(api_key="1")
    await world.resolve(KEY)
    world.references.forget(READER)
    world.put(api_key="2")
    assert world.told == []
    assert not world.references._contents
    assert not world.versions._readers
