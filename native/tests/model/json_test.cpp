#include "model/json.hpp"

#include <string>

#include "base/error.hpp"
#include "test.hpp"

namespace gteway {
namespace {

TEST("json: values of every kind") {
  const Json json =
      parse_json(R"( {"a": [1, -2.5e1, true, false, null, "x\n\u00e9\ud83d\ude00\"", {}], "b": 0} )", "f");
  const Json* a = json.field("a");
  CHECK(a != nullptr && a->items.size() == 7);
  CHECK_EQ(a->items[0].number, 1.0);
  CHECK_EQ(a->items[1].number, -25.0);
  CHECK(a->items[2].boolean);
  CHECK(a->items[4].kind == Json::Kind::kNull);
  CHECK_EQ(a->items[5].string, "x\n\xC3\xA9\xF0\x9F\x98\x80\"");
  CHECK(json.field("c") == nullptr);
  CHECK_EQ(json.field("b")->size().value_or(9), 0u);
}

TEST("json: half a surrogate pair becomes U+FFFD") {
  CHECK_EQ(parse_json(R"("\ud83dx")", "f").string, "\xEF\xBF\xBDx");
  CHECK_EQ(parse_json(R"("\ud83d\u0041")", "f").string,
           "\xEF\xBF\xBD"
           "A");
  CHECK_EQ(parse_json(R"("\ude00")", "f").string, "\xEF\xBF\xBD");
}

TEST("json: a size is a whole number from 0 to 2^53") {
  for (const char* text : {"-1", "0.5", "1e16", "\"1\"", "null", "true"})
    CHECK(!parse_json(text, "f").size());
  CHECK_EQ(parse_json("1e3", "f").size().value_or(0), 1000u);
}

TEST("json: what is not JSON is refused") {
  for (const std::string text : {"",
                                 "{",
                                 "[1",
                                 "[1,]",
                                 "{\"a\"}",
                                 "{a:1}",
                                 "01",
                                 "+1",
                                 ".5",
                                 "1.",
                                 "1e",
                                 "tru",
                                 "nul",
                                 "\"",
                                 "\"\\x\"",
                                 "\"\\u12\"",
                                 "\"\t\"",
                                 "1 2",
                                 "{\"a\":1,\"a\":2}",
                                 "'a'",
                                 "NaN",
                                 "-"})
    CHECK_THROWS(Error, parse_json(text, "config.json"), "config.json is not valid JSON");
}

}  // namespace
}  // namespace gteway
