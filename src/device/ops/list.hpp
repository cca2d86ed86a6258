#pragma once

// Every operation that an Arithmetic runs, which is chosen at run time. A new one is a file beside
// this one and a line here: the host's loops and the kernels are compiled for all of the list.

#include <variant>

#include "device/ops/adam.hpp"
#include "device/ops/add_to.hpp"
#include "device/ops/blank.hpp"
#include "device/ops/combine.hpp"
#include "device/ops/descend.hpp"
#include "device/ops/dot.hpp"
#include "device/ops/draw_back.hpp"
#include "device/ops/extrapolate.hpp"
#include "device/ops/keep_free.hpp"
#include "device/ops/measures.hpp"
#include "device/ops/move_along.hpp"
#include "device/ops/move_preconditioned.hpp"
#include "device/ops/penalty.hpp"
#include "device/ops/precondition.hpp"
#include "device/ops/tie.hpp"
#include "device/ops/total_variation.hpp"
#include "device/ops/untie.hpp"
#include "device/ops/warp.hpp"
#include "device/ops/weigh.hpp"

namespace ptyle {

/// Operations that write arrays.
template <class T>
using Operation = std::variant<  //
    Adam<T>,                     //
    AddTo<T>,                    //
    Blank<T>,                    //
    Combine<T>,                  //
    Descend<T>,                  //
    DrawBack<T>,                 //
    Extrapolate<T>,              //
    KeepFree<T>,                 //
    MoveAlong<T>,                //
    MovePreconditioned<T>,       //
    PenaltyGradient<T>,          //
    Precondition<T>,             //
    Tie<T>,                      //
    Untie<T>,                    //
    VariationGradient<T>,        //
    Warp<T>,                     //
    Weigh<T>>;

/// Operations that have a sum.
template <class T>
using Summed = std::variant<  //
    Dot<T>,                   //
    DotOfStep<T>,             //
    PenaltyCost<T>,           //
    Precondition<T>,          //
    VariationCost<T>>;

/// Quantities whose largest value is sought.
template <class T>
using Measure = std::variant<  //
    Apart<T>,                  //
    Value<T>>;

}  // namespace ptyle
