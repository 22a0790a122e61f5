"""Krita's settings: our line goes in and out, and all else stays as it was."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from install.errors import InstallError
from install.hosts import kritarc

PLUGIN = ("python", "enable_dreamlayer_krita")

words = st.text("abcXYZ09_-äß ", min_size=1, max_size=8).map(str.strip).filter(bool)
entries = st.tuples(words, st.text("abc =[]#;,/\\x", max_size=10)).map("=".join)
names = st.one_of(words, st.just("python"), st.just("python][sub"))
groups = st.tuples(names, st.lists(entries, min_size=1, max_size=4))


@st.composite
def settings_files(draw) -> bytes:
    """Files as KConfig writes them: a blank line between groups, none of them empty."""
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    blocks = [[f"[{name}]", *lines] for name, lines in draw(st.lists(groups, max_size=5))]
    text = (ending * 2).join(ending.join(block) for block in blocks)
    return (text + ending if text else "").encode()


def parsed(content: bytes) -> dict[tuple[str, str], str]:
    values, group = {}, ""
    for line in content.decode().splitlines():
        if line.startswith("["):
            group = line[1:-1]
        elif "=" in line:
            key, _, value = line.partition("=")
            values[group, key.strip()] = value
    return values


@given(settings_files())
def test_enabling_adds_one_value_and_changes_no_other(content):
    enabled = parsed(kritarc.with_plugin(content))
    assert enabled.pop(PLUGIN) == "true"
    assert enabled == parsed(content)


@given(settings_files())
def test_enabling_keeps_every_line_byte_for_byte(content):
    lines = kritarc.with_plugin(content).splitlines(keepends=True)
    remaining = iter(lines)
    assert all(line in remaining for line in content.splitlines(keepends=True))  # in this order


@given(settings_files())
def test_enabling_twice_is_enabling_once(content):
    once = kritarc.with_plugin(content)
    assert kritarc.with_plugin(once) == once


@given(settings_files())
def test_disabling_restores_the_file(content):
    assert kritarc.without_plugin(kritarc.with_plugin(content)) == content


@given(settings_files())
def test_disabling_what_was_never_enabled_changes_nothing(content):
    assert kritarc.without_plugin(content) == content


def test_a_plugin_that_was_switched_off_is_switched_on_in_its_place():
    old = b"[python]\nenable_a=true\nenable_dreamlayer_krita=false\nenable_b=false\n\n[z]\nk=1\n"
    assert kritarc.with_plugin(old) == old.replace(b"krita=false", b"krita=true")


def test_a_key_of_the_same_name_in_another_group_does_not_count():
    old = b"[other]\nenable_dreamlayer_krita=true\n"
    assert parsed(kritarc.with_plugin(old))[PLUGIN] == "true"
    assert kritarc.without_plugin(old) == old


def test_other_plugins_stay_enabled_when_ours_goes():
    old = b"[python]\nenable_a=true\nenable_dreamlayer_krita=true\n\n[z]\nk=1\n"
    assert kritarc.without_plugin(old) == b"[python]\nenable_a=true\n\n[z]\nk=1\n"


def test_krita_may_have_sorted_our_group_between_others():
    old = b"[a]\nk=1\n\n[python]\nenable_dreamlayer_krita=true\n\n[z]\nk=1\n"
    assert kritarc.without_plugin(old) == b"[a]\nk=1\n\n[z]\nk=1\n"


def test_a_missing_file_is_made_and_removed_again(tmp_path: Path):
    settings = tmp_path / "config" / "kritarc"
    assert kritarc.enable(settings)
    assert kritarc.enabled(settings)
    assert not kritarc.enable(settings)
    assert kritarc.disable(settings)
    assert not settings.parent.exists()
    assert not kritarc.disable(settings)


def test_a_folder_with_other_files_stays(tmp_path: Path):
    settings, other = tmp_path / "config" / "kritarc", tmp_path / "config" / "other"
    assert kritarc.enable(settings)
    other.touch()
    assert kritarc.disable(settings)
    assert list(other.parent.iterdir()) == [other]


def test_links_and_modes_survive_and_nothing_is_left_beside(tmp_path: Path):
    real = tmp_path / "dotfiles" / "kritarc"
    real.parent.mkdir()
    real.write_bytes(b"[a]\nk=1\n")
    real.chmod(0o600)
    settings = tmp_path / "kritarc"
    settings.symlink_to(real)
    kritarc.enable(settings)
    assert settings.is_symlink()
    assert kritarc.enabled(real)
    assert real.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in real.parent.iterdir()] == ["kritarc"]


def test_settings_that_cannot_be_written_say_how_to_enable_it_by_hand(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InstallError, match="Python Plugin Manager"):
        kritarc.enable(tmp_path / "file" / "kritarc")
