// Serialisation of negotiation messages: records packed into one buffer.
#ifndef DDL_ENGINE_MESSAGES_H
#define DDL_ENGINE_MESSAGES_H

#include <cstdint>
#include <cstring>
#include <string>

namespace ddl {

class Packer {
 public:
  Packer& number(int32_t value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Packer& text(const std::string& value) {
    number(static_cast<int32_t>(value.size()));
    text_ += value;
    return *this;
  }
  bool empty() const { return text_.empty(); }
  // Returns the packed bytes and leaves the packer empty.
  std::string take() {
    std::string taken;
    taken.swap(text_);
    return taken;
  }

 private:
  std::string text_;
};

class Unpacker {
 public:
  explicit Unpacker(const std::string& text) : text_(text) {}
  bool done() const { return at_ >= text_.size(); }
  int32_t number() {
    int32_t value;
    std::memcpy(&value, text_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const size_t size = static_cast<size_t>(number());
    at_ += size;
    return text_.substr(at_ - size, size);
  }

 private:
  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace ddl

#endif
