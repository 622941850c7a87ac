// A table with a caption, as the status page has them.

#pragma once

#include "ops/page/html.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

enum class Align : std::uint8_t { Text, Number };

struct Column {
  std::string_view title;
  Align align = Align::Text;
};

// Each row has as many cells as there are columns; the first cell is the row's heading.
class HtmlTable {
 public:
  // `empty` stands in place of a table without rows.
  HtmlTable(std::string_view caption, std::initializer_list<Column> columns,
            std::string_view empty);

  void row(const std::vector<Html>& cells);
  std::size_t size() const noexcept { return size_; }
  // A line behind the table: what is not in it, say.
  void note(const Html& note) { note_ = note; }

  Html finish() const;

 protected:
  // `style` is the class of the table.
  Html finish(Markup style) const;

 private:
  std::vector<Column> columns_;
  std::string caption_;
  std::string empty_;
  Html rows_;
  Html note_;
  std::size_t size_ = 0;
};

// What has a name and a value: a table of two columns.
class FactTable : private HtmlTable {
 public:
  explicit FactTable(std::string_view caption)
      : HtmlTable(caption, {{"Field"}, {"Value"}}, "nothing to tell") {}

  void row(std::string_view name, const Html& value) { HtmlTable::row({escaped(name), value}); }
  void row(std::string_view name, std::string_view value) { row(name, escaped(value)); }
  void row(std::string_view name, std::uint64_t value) { row(name, Html().number(value)); }

  Html finish() const { return HtmlTable::finish("facts"); }
};

}  // namespace waypost::ops
