"""Names that stand in ledgers, leaks and sources in English, for programs to rely on, as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping

from zhuji.core.log import in_language

CHINESE = {
    # causes of the ledger
    "bad JSON": "JSON 有误", "bad quotes": "引号有误", "empty text": "文本为空", "header again": "表头重复",
    "label is not 0 or 1": "标签不是 0 或 1", "label is not a number": "标签不是数值", "no label": "缺少标签",
    "not a JSON object": "不是 JSON 对象", "not a regular file": "不是普通文件", "not in the test split": "不在测试划分中",
    "ragged row": "列数不符", "row too long": "行过长", "too long": "过长", "undecodable bytes": "字节无法解码",
    "unknown split": "划分名未知", "unreadable time": "时间无法读取", "unterminated quote": "引号未闭合",
    "value out of range": "数值超出范围", "empty target": "目标文本为空", "empty word": "词为空", "invalid tags": "标签序列无效",
    "no end of sentence": "句子没有结尾", "not as many tags as words": "标签数与词数不符",
    "test row of a group that is not held out": "不在留出组中的测试行",
    # causes of pictures
    "no such picture": "没有这个图片文件", "empty picture file": "图片文件为空", "picture file too large": "图片文件过大",
    "unreadable picture file": "图片文件无法读取", "not a picture": "不是图片", "truncated picture": "图片不完整",
    "damaged picture": "图片已损坏", "too many pixels": "像素过多", "unknown kind of pixels": "像素类型未知",
    "values that are not numbers": "含有非数值的像素", "values out of range": "像素值超出范围", "no picture": "没有图片", "edges cut off": "裁去边缘",
    # causes of sounds
    "no such sound": "没有这个声音文件", "empty sound file": "声音文件为空", "sound file too large": "声音文件过大",
    "unreadable sound file": "声音文件无法读取", "not a sound": "不是声音", "truncated sound": "声音不完整", "damaged sound": "声音已损坏",
    "longer than its header says": "比文件头所述更长",
    "sound too long": "声音过长", "too many channels": "声道过多", "sample rate out of range": "采样率超出范围", "no samples": "没有采样",
    "span outside of its file": "片段超出文件范围", "samples that are not numbers": "含有非数值的采样", "samples out of range": "采样值超出范围", "no sound": "没有声音",
    "bad annotation": "标注有误", "annotation too large": "标注文件过大",
    # causes of a corpus
    "another language": "其他语言", "another split": "其他划分", "bullet lines": "多为列表行", "copy": "重复", "cut-off lines": "多为截断行",
    "few letters": "字母太少", "held out": "须留出", "long words": "词过长", "many symbols": "符号太多", "near copy": "近似重复",
    "nearly held out": "近似须留出", "no units": "没有单元", "repeated characters": "字符重复", "repeated lines": "行重复",
    "repeated phrases": "短语重复", "too short": "过短",
    # causes of conversations
    "no conversation": "不是对话", "not as the chat format wants it": "不合对话格式", "a mark in what is said": "话中含有格式标记",
    # changes
    "control characters removed": "去除控制字符", "duplicate id renamed": "重复编号已改名", "encoding mended": "修复乱码",
    "Unicode normalised": "Unicode 规范化", "whitespace collapsed": "合并空白",
    "first of several frames kept": "多帧中只取首帧", "damaged EXIF ignored": "忽略损坏的 EXIF", "turned upright": "已转正",
    "box without area left out": "略去没有面积的框", "box of a crowd left out": "略去群体框",
    "box of no known class left out": "略去类别未知的框", "laid over white": "透明处铺白", "CMYK turned into RGB": "CMYK 转为 RGB", "16 bits made 8": "16 位转为 8 位",
    "channels mixed into one": "声道已合并", "samples that are no numbers made silent": "非数值的采样已置零", "clipped": "有削波",
    "louder than full scale": "超过满幅", "silent": "无声", "end cut off": "截去末尾",
    "numbers made 8 bits": "数值转为 8 位", "DICOM window applied": "已应用 DICOM 窗口",
    # kinds of leak
    "exact": "完全相同", "near": "近似", "group": "同组", "id": "同编号",
    # what a source tells about itself
    "delimiter": "分隔符", "encoding": "编码", "header": "表头", "quotes": "引号", "text files": "文本文件",
    "(unknown)": "（未知）",
    # where a number of joules comes from
    "RAPL, whole processor": "RAPL，整个处理器", "estimate: 10 W for each busy core": "估计：每个繁忙核心 10 瓦",
}  # fmt: skip


def told(name: str) -> str:
    """The name in the person's language; as it stands if it is none of these."""
    return in_language(name, CHINESE.get(name, name))


def counted(counts: Mapping[str, int]) -> str:
    """`{"ragged row": 2, "no label": 1}` -> `ragged row 2, no label 1`; what counts nothing is left out."""
    return in_language(", ", "，").join(f"{told(name)} {count}" for name, count in counts.items() if count)
