"""A group of training curves as a chart."""

from markupsafe import Markup

from app.services.checkpoints.curves import CurveGroup
from app.web.charts import line_chart


def curve_chart(group: CurveGroup) -> Markup:
    """The curves of the group in one chart, with horizontal lines at the values to compare them with."""
    return line_chart(
        group.series, label=group.title, log_y=group.log, levels=group.levels, low=group.low, high=group.high
    )
