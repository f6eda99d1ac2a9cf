import struct
import xml.etree.ElementTree as ET
import zlib

import altair as alt
import pytest
from test_report import canada, many, one

from activation_flow import charts, drawing


@pytest.fixture
def heat():
    return one(["a", "b", "c"], [[1, 2, 3]] * 3, layers=(1, 2, 3)).chart()


def test_svg_is_well_formed_and_clear_in_a_page(heat):
    root = ET.fromstring(drawing.svg(heat))
    assert root.tag.endswith("svg")
    assert root[0].get("fill") == "none"
    assert ET.fromstring(drawing.svg(heat, "white"))[0].get("fill") == "white"


def test_png_has_two_pixels_for_each_of_the_svg(heat):
    root = ET.fromstring(drawing.svg(heat))
    data = drawing.png(heat)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (2 * int(root.get("width")), 2 * int(root.get("height")))


def test_png_is_packed_well_and_holds_the_same_rows(heat):
    import vl_convert

    def rows(png):
        data, at = b"", 8
        while at < len(png):
            size, name = struct.unpack(">I4s", png[at : at + 8])
            body = png[at + 8 : at + 8 + size]
            assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
                name + body
            )
            data += body if name == b"IDAT" else b""
            at += 12 + size
        return zlib.decompress(data)

    plain = vl_convert.vegalite_to_png(
        {**drawing.spec(heat), "background": "white"}, vl_version=drawing.vega_lite(), scale=2
    )
    packed = drawing.png(heat)
    assert rows(packed) == rows(plain)
    assert len(packed) < len(plain) / 2


def test_the_same_chart_is_the_same_picture_to_the_byte(heat):
    again = one(["a", "b", "c"], [[1, 2, 3]] * 3, layers=(1, 2, 3)).chart()
    assert drawing.spec(heat) == drawing.spec(again)
    assert drawing.svg(heat) == drawing.svg(again)
    assert drawing.png(heat) == drawing.png(again)


def test_two_pictures_of_a_page_share_no_id(heat):
    def ids(chart):
        root = ET.fromstring(drawing.svg(chart))
        found = [node.get("id") for node in root.iter() if node.get("id")]
        used = [v for node in root.iter() for v in node.attrib.values() if v.startswith("url(#")]
        assert used
        assert {value[5:-1] for value in used} <= set(found)
        return set(found)

    other = one(["a", "b", "x"], [[1, 2, 3]] * 3, layers=(1, 2, 3)).chart()
    assert not ids(heat) & ids(other)


def test_data_are_never_fetched():
    chart = alt.Chart("https://example.org/data.csv").mark_point().encode(x="a:Q")
    with pytest.raises(ValueError, match="not allowed"):
        drawing.svg(chart)


# a notebook


@pytest.mark.parametrize(
    "make",
    [
        lambda: canada().chart(),
        lambda: many(canada(), canada()).chart(),
        lambda: canada().chart().properties(width=100),
        lambda: canada().chart().properties(width=100).copy(),
        lambda: canada().chart().configure_axis(grid=False),
    ],
)
def test_a_chart_shows_itself_without_set_up_and_network(make):
    renderer, theme = alt.renderers.active, alt.theme.active
    chart = make()
    assert isinstance(chart, alt.TopLevelMixin)
    shown = chart._repr_mimebundle_(include=None, exclude=None)
    assert [*shown] == ["application/vnd.vegalite.v6+json", "image/svg+xml"]
    assert shown["application/vnd.vegalite.v6+json"] == chart.to_dict()
    ET.fromstring(shown["image/svg+xml"])
    assert (alt.renderers.active, alt.theme.active) == (renderer, theme)


def test_charts_of_others_stay_as_they_are():
    canada().chart()
    chart = alt.Chart(alt.Data(values=[])).mark_point()
    assert not isinstance(chart, drawing.Shown)
    assert "text/html" in chart._repr_mimebundle_()


def test_a_result_shows_text_and_html():
    shown = canada()._repr_mimebundle_(include=None, exclude=None)
    assert shown == {"text/plain": repr(canada()), "text/html": canada()._repr_html_()}


# files


@pytest.mark.parametrize("results", [canada(), many(canada(), canada())])
def test_pictures_are_saved(results, tmp_path):
    results.save(tmp_path / "a.png")
    results.save(tmp_path / "a.SVG")
    assert (tmp_path / "a.png").read_bytes() == drawing.png(results.chart())
    text = (tmp_path / "a.SVG").read_text(encoding="utf-8")
    assert text == drawing.svg(charts.chart(results), "white") + "\n"


def test_the_command_saves_pictures(afn, tmp_path, own_cache):
    for words in (["strength", "a b c"], ["hidden", "a b c"], ["shift", "a b", "a c"]):
        path = tmp_path / f"{words[0]}.svg"
        code, _, err = afn(*words, "-m", "minilm", "--save", str(path))
        assert (code, ET.parse(path).getroot().tag[-3:]) == (0, "svg"), err
