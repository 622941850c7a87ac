#include "ops/page/table.h"

#include <cassert>

namespace waypost::ops {

HtmlTable::HtmlTable(std::string_view caption, std::initializer_list<Column> columns,
                     std::string_view empty)
    : columns_(columns), caption_(caption), empty_(empty) {}

void HtmlTable::row(const std::vector<Html>& cells) {
  assert(cells.size() == columns_.size());
  rows_.markup("<tr>");
  for (std::size_t i = 0; i < cells.size() && i < columns_.size(); ++i) {
    if (i == 0) {
      rows_.markup("<th scope=\"row\">").add(cells[i]).markup("</th>");
    } else {
      rows_.markup(columns_[i].align == Align::Number ? Markup("<td class=\"number\">")
                                                      : Markup("<td>"));
      rows_.add(cells[i]).markup("</td>");
    }
  }
  rows_.markup("</tr>\n");
  ++size_;
}

Html HtmlTable::finish() const {
  return finish("");
}

Html HtmlTable::finish(Markup style) const {
  Html table;
  if (size_ == 0) {
    table.markup("<p class=\"empty\">").text(caption_).markup(": ").text(empty_).markup("</p>\n");
  } else {
    // What is wider than the window is scrolled, with the keyboard, too.
    table.markup("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"")
        .text(caption_)
        .markup("\">\n<table class=\"")
        .markup(style)
        .markup("\">\n<caption>")
        .text(caption_)
        .markup("</caption>\n<thead><tr>");
    for (const Column& column : columns_) {
      table.markup(column.align == Align::Number ? Markup("<th scope=\"col\" class=\"number\">")
                                                 : Markup("<th scope=\"col\">"));
      table.text(column.title).markup("</th>");
    }
    table.markup("</tr></thead>\n<tbody>\n").add(rows_).markup("</tbody>\n</table>\n</div>\n");
  }
  if (!note_.is_empty()) {
    table.markup("<p class=\"note\">").add(note_).markup("</p>\n");
  }
  return table;
}

}  // namespace waypost::ops
