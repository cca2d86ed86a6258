#pragma once

// A small wrapper of HDF5's C interface: handles that close themselves, every call checked, errors
// in the user's words (what, file, dataset, what would be right). Like the library underneath, it
// is to be used by one thread at a time: while it computes, a reconstruction leaves it to the
// thread that writes checkpoints (session/resumption).

#include <atomic>
#include <complex>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/array.hpp"

namespace ptyle::h5 {

/// A handle of HDF5 (hid_t) with the call that closes it.
class Handle {
 public:
  using Id = std::int64_t;
  using Close = int (*)(Id);
  Handle() = default;
  Handle(Id id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& o) noexcept : id_(std::exchange(o.id_, -1)), close_(o.close_) {}
  Handle& operator=(Handle&& o) noexcept {
    std::swap(id_, o.id_);
    std::swap(close_, o.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0 && close_(id_) < 0) ++failures;
  }
  [[nodiscard]] Id get() const { return id_; }
  /// Calls of `close` that failed, in all: one may have been to write something yet.
  static inline std::atomic<i64> failures{0};

 private:
  Id id_ = -1;
  Close close_ = nullptr;
};

enum class Kind { integer, natural, real, complex, text, other };

/// A number's type in a file: kind and bytes (of the whole number, so complex64 has 8).
struct Type {
  Kind kind = Kind::other;
  int bytes = 0;
  bool operator==(const Type&) const = default;
  [[nodiscard]] bool is_real() const { return kind <= Kind::real; }
};

/// "uint8", "float32", "complex64", …
std::string to_string(Type type);
/// "46 x 46 x 256 x 256"
std::string to_string(std::span<const i64> shape);

/// The type of the file's numbers for T: any integer, float, double, or std::complex of the two.
template <class T>
constexpr Type type_of() {
  constexpr int bytes = sizeof(T);
  if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>)
    return {Kind::complex, bytes};
  else if constexpr (std::is_floating_point_v<T>)
    return {Kind::real, bytes};
  else {
    static_assert(std::is_integral_v<T>);
    return {std::is_signed_v<T> ? Kind::integer : Kind::natural, bytes};
  }
}

using Shape = std::vector<i64>;

struct DatasetInfo {
  std::string path;  ///< absolute, e.g. "/entry_1/data_1/data"
  Shape shape;
  Type type;
  Shape chunk;  ///< empty: contiguous or virtual
  bool is_virtual = false;
  [[nodiscard]] i64 size() const;
};

/// An attribute as it is: numbers or texts, one for a single value; neither where it is empty or of
/// another kind.
struct Attribute {
  Type type;
  std::vector<double> numbers;
  std::vector<std::string> texts;
};

/// Numbers start, start + 1, … of `block`, every `stride`, `count` times.
struct Strided {
  i64 start = 0, stride = 1, count = 0, block = 1;
  [[nodiscard]] bool contains(i64 i) const {
    return i >= start && (i - start) / stride < count && (i - start) % stride < block;
  }
  [[nodiscard]] i64 last() const { return start + (count - 1) * stride + block - 1; }
};

/// A part of a virtual dataset whose numbers are nowhere: HDF5 reads its fill value for them.
struct MissingPart {
  std::string why;  ///< "they come from dataset '/d' in 'part_2.h5', a file that is not there"
  std::vector<Strided> at;  ///< in each dimension
};

/// The place of numbers in a file of another format.
struct Place {
  std::string file;
  i64 offset = 0;           ///< byte of the first number
  bool big_endian = false;  ///< the most significant byte comes first
  i64 stride = 0;  ///< bytes from a frame, the last two of three axes, to the next; 0: they
                   ///< follow each other
};

/// Frames (N, ky, kx) that lie in records (N, words), each at the beginning of one.
struct Records {
  Shape shape;
  i64 words = 0;
};

/// A file that lies in memory: made of one of another format.
struct InMemory;

/// Unpacked chunks that an open dataset keeps; 0: HDF5's default of 1 MB.
struct KeptChunks {
  i64 chunks = 0, bytes = 0;
};

/// An open dataset. Reading converts between any two real types (clipped to the range of T), and
/// between the two complex ones; real as complex or complex as real is refused.
class Dataset {
 public:
  [[nodiscard]] const DatasetInfo& info() const { return info_; }
  [[nodiscard]] const Shape& shape() const { return info_.shape; }

  template <class T>
  void read(T* to) const {
    transfer(to, type_of<T>(), Shape(shape().size(), 0), shape(), false);
  }
  /// UserError, as read() says it, where its first number is compressed in a way that is not known
  /// here. Real numbers only.
  void check_filters() const;
  /// The box [start, start + count) in C order.
  template <class T>
  void read(const Shape& start, const Shape& count, T* to) const {
    transfer(to, type_of<T>(), start, count, false);
  }
  template <class T>
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> all(static_cast<std::size_t>(info_.size()));
    read(all.data());
    return all;
  }
  /// The byte of the file at which its first number lies, the others behind it in C order; nothing
  /// where they don't lie so.
  [[nodiscard]] std::optional<i64> offset() const;
  /// Those of a virtual dataset; none of another.
  [[nodiscard]] std::vector<MissingPart> missing_parts() const;
  template <class T>
  void write(const T* from) {
    transfer(const_cast<T*>(from), type_of<T>(), Shape(shape().size(), 0), shape(), true);
  }
  template <class T>
  void write(const Shape& start, const Shape& count, const T* from) {
    transfer(const_cast<T*>(from), type_of<T>(), start, count, true);
  }

 private:
  friend class File;
  void transfer(void* memory, Type type, const Shape& start, const Shape& count, bool write) const;
  /// The box of the dataset, as HDF5 selects it.
  [[nodiscard]] Handle selection(const Shape& start, const Shape& count) const;
  Handle handle_;
  DatasetInfo info_;
  std::string file_;
  i64 record_ = 0;  ///< words of the record that each frame lies in; 0: none
};

/// An open file. Paths in it may be given with or without the leading "/".
class File {
 public:
  /// UserError where there is no file to be read at all.
  static bool is_hdf5(const std::string& path);
  /// For reading. UserError where it is missing, no HDF5 file, or damaged.
  static File open(const std::string& path);
  /// For reading, of the bytes of a file, which is called `path`; they are copied.
  static File of_bytes(std::span<const char> bytes, const std::string& path);
  /// A new one that lies in memory and is never written, in the place of `path`, of another format.
  static File in_memory(const std::string& path);
  /// One of these once more.
  static File of_memory(std::shared_ptr<InMemory> memory);
  /// For reading and writing, in place.
  static File update(const std::string& path);
  /// A new file, written as "path.part" until commit() gives it its name; without commit() it is
  /// removed again. UserError where `path` exists and `overwrite` is false.
  static File create(const std::string& path, bool overwrite = false);
  File(File&&) noexcept = default;
  File& operator=(File&&) = delete;
  ~File();

  /// Closes a created file and gives it its name. Its datasets must be closed by then.
  void commit();
  void flush();
  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] bool has(const std::string& object) const;  ///< a dataset, group or link there
  [[nodiscard]] bool has_dataset(const std::string& path) const;  ///< or a link that leads to one
  /// UserError where there is none, naming those that come nearest. What is kept counts for a
  /// dataset that nobody has open.
  [[nodiscard]] Dataset dataset(const std::string& dataset, const KeptChunks& kept = {}) const;
  [[nodiscard]] DatasetInfo info(const std::string& dataset) const;
  /// The same open file once more.
  [[nodiscard]] File again() const;
  /// Names of what lies in a group, in alphabetical order, links that lead nowhere among them; none
  /// where it is no group.
  [[nodiscard]] std::vector<std::string> names(const std::string& group) const;
  /// Does an object, or a link that leads somewhere, have this name?
  [[nodiscard]] bool leads_somewhere(const std::string& object) const;
  /// The paths of links that lead nowhere.
  [[nodiscard]] std::vector<std::string> dead_links() const;
  /// Was it written by MATLAB (7.3, or 5 in memory), whose arrays have their axes in reverse order?
  [[nodiscard]] bool by_matlab() const;
  /// All datasets, in alphabetical order of their paths, those that links lead to among them; but
  /// groups behind links are not gone through.
  [[nodiscard]] std::vector<DatasetInfo> datasets() const;

  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& path) const {
    return dataset(path).template read<T>();
  }
  /// A new dataset (with the groups on its path); `chunk` empty: contiguous; `deflate` 0 (none)
  /// to 9.
  Dataset create_dataset(const std::string& path, Type type, const Shape& shape,
                         const Shape& chunk = {}, int deflate = 0);
  template <class T>
  Dataset create_dataset(const std::string& path, const Shape& shape, const Shape& chunk = {},
                         int deflate = 0) {
    return create_dataset(path, type_of<T>(), shape, chunk, deflate);
  }
  /// A new contiguous one that has its place in the file at once, and is not filled: what is not
  /// written of it is 0 as the file system has it.
  Dataset reserve_dataset(const std::string& path, Type type, const Shape& shape);
  /// A new one in memory whose numbers stay in the file of another format, which has them all.
  void map_dataset(const std::string& path, Type type, const Shape& shape, const Place& place);
  /// A new one in memory, of numbers as they lie in a file of another format: `next` gives the next
  /// bytes of it.
  void store_dataset(const std::string& path, Type type, const Shape& shape, bool big_endian,
                     const std::function<void(i64 bytes, char* to)>& next);
  /// The file that in_memory() made; nullptr: it is none of these.
  [[nodiscard]] const std::shared_ptr<InMemory>& memory() const { return memory_; }
  /// Bytes of numbers that lie in memory.
  [[nodiscard]] i64 held() const;
  /// Facts that the user should know of a file of another format, a line each.
  void note(std::string text);
  [[nodiscard]] std::vector<std::string> notes() const;
  /// A new dataset, written whole.
  template <class T>
  void write(const std::string& path, const Shape& shape, const T* from) {
    create_dataset<T>(path, shape).write(from);
  }
  template <class T, int N>
  void write(const std::string& path, View<T, N> from) {
    write<std::remove_const_t<T>>(path, Shape(from.shape.begin(), from.shape.end()), from.data);
  }

  /// Attributes of an object ("/" for the file itself); nothing where there is none of the name, or
  /// one of another kind.
  [[nodiscard]] std::optional<double> number(const std::string& object, const char* name) const;
  [[nodiscard]] std::optional<std::vector<double>> numbers(const std::string& object,
                                                           const char* name) const;
  [[nodiscard]] std::optional<std::string> text(const std::string& object, const char* name) const;
  /// An attribute of any kind; UserError where it cannot be read.
  [[nodiscard]] std::optional<Attribute> attribute(const std::string& object,
                                                   const char* name) const;
  [[nodiscard]] std::vector<std::string> attributes(const std::string& object) const;
  /// A dataset that holds a few values, as if it were an attribute; nothing where there is none, or
  /// it holds more than eight.
  [[nodiscard]] std::optional<Attribute> value(const std::string& dataset) const;

  /// Set, or replaced where there is one of the name.
  void set(const std::string& object, const char* name, double value);
  void set(const std::string& object, const char* name, i64 value);
  void set(const std::string& object, const char* name, int value) {
    set(object, name, i64{value});
  }
  void set(const std::string& object, const char* name, std::span<const double> values);
  void set(const std::string& object, const char* name, std::span<const i64> values);
  void set(const std::string& object, const char* name, const std::string& text);
  void set(const std::string& object, const char* name, const char* text) {
    set(object, name, std::string(text));
  }

 private:
  File(Handle handle, std::string path) : handle_(std::move(handle)), path_(std::move(path)) {}
  [[nodiscard]] Handle open_object(const std::string& object) const;
  void set(const std::string& object, const char* name, Type type, std::span<const i64> shape,
           const void* from);
  Dataset make_dataset(const std::string& path, Type type, const Shape& shape, Handle layout);
  /// The shape that the user sees, where the dataset is one of records.
  [[nodiscard]] const Records* records(const std::string& dataset) const;
  [[noreturn]] void no_such_dataset(const std::string& dataset) const;
  Handle handle_;
  std::shared_ptr<InMemory> memory_;
  std::string path_;         ///< the final name
  std::string part_;         ///< the name until commit(); empty: none
  i64 failures_before_ = 0;  ///< Handle::failures before it was made
};

}  // namespace ptyle::h5
