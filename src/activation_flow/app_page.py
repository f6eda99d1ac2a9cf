"""A placeholder, for tests of the server until the page is written: one text box, one call."""

from typing import Any

from activation_flow.app_calls import Calls
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings


def mounted(settings: Settings, models: Models) -> Any:
    """The page as an ASGI app."""
    import fastapi
    import gradio as gr

    strength = Calls(settings, models).strength

    with gr.Blocks(title="Activation Flow", analytics_enabled=False) as demo:
        box = gr.Textbox("Who is the prime minister of Canada?", label="text")
        out = gr.JSON()
        box.submit(lambda text: strength([text]), box, out)
        gr.api(strength, api_name="strength")
    demo.queue(max_size=settings.bounds.waiting)
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace"])
    return gr.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        demo,
        path="",
        footer_links=["api"],
        mcp_server=settings.mcp,
        head='<script src="/afn/vega.js"></script>',
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        show_error=True,
        theme=theme,
    )
